package extract

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// dynamoOrigin is a table of DynamoDB.
type dynamoOrigin struct {
	table, region string
	endpoint      string // instead of Amazon's
	allowPrivate  bool
	// Credentials: these, else those of the profile, else the usual ones of AWS:
	// environment, shared files, the machine's role.
	accessKeyID                   string // text or reference
	secretAccessKey, sessionToken secret.Ref
	profile                       string
	consistent                    bool
	segments                      int // that are read at a time
	size                          int // items of a page; 0: as many as fit
}

// Limits of Scan: a million segments are allowed, more than a few help nobody.
const (
	maxSegments   = 64
	dynamoRetries = 8
)

// dynamodb reads dynamodb.
func (s *section) dynamodb(n *yaml.Node) origin {
	o := &dynamoOrigin{segments: 1}
	written := s.Mapping(n, "dynamodb", map[string]strict.Field{
		"table":           s.Text(&o.table),
		"region":          s.Text(&o.region),
		"endpoint":        s.endpoint(&o.endpoint),
		"allowPrivate":    s.Flag(&o.allowPrivate),
		"accessKeyId":     s.Text(&o.accessKeyID),
		"secretAccessKey": s.credential(&o.secretAccessKey),
		"sessionToken":    s.credential(&o.sessionToken),
		"profile":         s.Text(&o.profile),
		"consistent":      s.Flag(&o.consistent),
		"segments":        s.Between(&o.segments, 1, maxSegments),
		"size":            s.AtLeast(&o.size, 1),
	})
	s.required(n, "dynamodb", written, "table")
	if written == nil {
		return o
	}
	if (written["accessKeyId"] == nil) != (written["secretAccessKey"] == nil) {
		s.Wrong(n, "", "accessKeyId and secretAccessKey belong together")
	}
	if o.accessKeyID != "" {
		s.only(written, "dynamodb with accessKeyId", []string{"profile"})
	} else {
		s.only(written, "dynamodb without accessKeyId", []string{"sessionToken"})
	}
	if o.endpoint == "" {
		s.only(written, "dynamodb without endpoint", []string{"allowPrivate"})
	}
	return o
}

// endpoint reads the base URL of a server.
func (s *section) endpoint(into *string) strict.Field {
	return func(n *yaml.Node) {
		if _, err := egress.Origin(n.Value); n.Kind != yaml.ScalarNode || err != nil {
			s.Wrong(n, "write it as https://host:port", "this is not the base URL of a server")
			return
		}
		*into = strings.TrimRight(n.Value, "/")
	}
}

func (o *dynamoOrigin) open(ctx context.Context, env Env) (Reader, error) {
	conf, err := o.config(ctx, env)
	if err != nil {
		return nil, err
	}
	base, err := o.base(ctx, conf.Region)
	if err != nil {
		return nil, err
	}
	client := env.Client
	if client == nil {
		client = egress.New(egress.Policy{})
	}
	reader := &dynamoReader{dynamoOrigin: o, env: env, base: base, line: client, own: env.Client == nil}
	reader.client = dynamodb.NewFromConfig(conf, func(d *dynamodb.Options) {
		d.BaseEndpoint = aws.String(base)
		d.HTTPClient = client.HTTPClient([]string{base}, o.allowPrivate)
		d.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = dynamoRetries
			r.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(reader.lasting)}, r.Retryables...)
		})
		d.EndpointDiscovery.EnableEndpointDiscovery = aws.EndpointDiscoveryDisabled // no other host is bound
	})
	return reader, nil
}

// lasting keeps the SDK from repeating what did not leave by our own policy, and
// what nobody has answered yet: it would be silent for half a minute.
func (d *dynamoReader) lasting(err error) aws.Ternary {
	if fault.Is(err, fault.Refused) || fault.Is(err, fault.Invalid) || !d.answered.Load() && unreached(err) {
		return aws.FalseTernary
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) { // of the network: the SDK says nothing of what it repeats
		d.env.again(context.Background(), d.Describe()+" at "+d.base, 0, f.Msg)
	}
	return aws.UnknownTernary
}

// config finds region and credentials.
func (o *dynamoOrigin) config(ctx context.Context, env Env) (aws.Config, error) {
	if o.accessKeyID != "" {
		id := o.accessKeyID
		if secret.IsRef(id) {
			v, err := env.resolve(ctx, secret.Ref(id))
			if err != nil {
				return aws.Config{}, err
			}
			id = v.Reveal()
		}
		key, err := env.resolve(ctx, o.secretAccessKey)
		if err != nil {
			return aws.Config{}, err
		}
		token, err := env.resolve(ctx, o.sessionToken)
		if err != nil {
			return aws.Config{}, err
		}
		if o.region != "" {
			return aws.Config{Region: o.region, Credentials: credentials.NewStaticCredentialsProvider(id, key.Reveal(), token.Reveal())}, nil
		}
		conf, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, key.Reveal(), token.Reveal())))
		return o.located(conf, err)
	}
	options := []func(*awsconfig.LoadOptions) error{awsconfig.WithRegion(o.region)}
	if o.profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(o.profile))
	}
	return o.located(awsconfig.LoadDefaultConfig(ctx, options...))
}

// located makes sure that there is a region.
func (o *dynamoOrigin) located(conf aws.Config, err error) (aws.Config, error) {
	if err != nil {
		return conf, fault.Wrap(fault.Invalid, err, "the configuration of AWS cannot be read").At("%s", o.describe()).Fix("check profile, and the files in ~/.aws")
	}
	if conf.Region == "" {
		return conf, fault.New(fault.Invalid, "the region is not known").At("%s", o.describe()).Fix("add region, or set AWS_REGION")
	}
	return conf, nil
}

// base is the URL of the server: the one place that is called.
func (o *dynamoOrigin) base(ctx context.Context, region string) (string, error) {
	if o.endpoint != "" {
		return o.endpoint, nil
	}
	at, err := dynamodb.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, dynamodb.EndpointParameters{Region: aws.String(region)})
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "there is no DynamoDB in the region %q", region).At("%s", o.describe()).Fix("correct region")
	}
	return (&url.URL{Scheme: at.URI.Scheme, Host: at.URI.Host}).String(), nil
}

func (o *dynamoOrigin) describe() string { return "DynamoDB table " + o.table }

// dynamoReader reads a table by Scan.
type dynamoReader struct {
	*dynamoOrigin
	env      Env
	answered atomic.Bool // the server has, once
	base     string
	client   *dynamodb.Client
	line     *egress.Client
	own      bool // nobody else closes line
}

// Describe implements Reader.
func (d *dynamoReader) Describe() string { return d.describe() }

// Identity implements Reader: a table tells nothing.
func (d *dynamoReader) Identity() string { return "" }

// dynamoPage is a page of a segment, or the error that ended it.
type dynamoPage struct {
	items  []map[string]types.AttributeValue
	number int
	within string // " of segment 3" where there are several
	err    error
}

// Rows implements Reader. Each segment is read ahead by one page.
func (d *dynamoReader) Rows(ctx context.Context) iter.Seq2[Located, error] {
	return rows(func(yield func(Located) bool) error {
		if d.own {
			defer d.line.Close()
		}
		ctx, stop := context.WithCancel(ctx)
		var segments sync.WaitGroup
		defer segments.Wait()
		defer stop()
		pages := make(chan dynamoPage)
		for i := range d.segments {
			segments.Go(func() { d.scan(ctx, i, pages) })
		}
		go func() { // ends with the segments, which end with ctx
			segments.Wait()
			close(pages)
		}()
		for page := range pages {
			if page.err != nil {
				return page.err
			}
			for i, item := range page.items {
				row := make(reconcile.Row, len(item))
				for name, v := range item {
					row[name] = fromDynamo(v)
				}
				place := "items[" + strconv.Itoa(i) + "] of page " + strconv.Itoa(page.number) + page.within
				if !yield(Located{Place: place, Row: row}) {
					return nil
				}
			}
		}
		if ctx.Err() != nil {
			return broken(ctx, ctx.Err(), "the table").At("%s", d.Describe())
		}
		return nil
	})
}

// scan reads one segment to its end, its first error, or that of ctx.
func (d *dynamoReader) scan(ctx context.Context, segment int, pages chan<- dynamoPage) {
	in := &dynamodb.ScanInput{TableName: aws.String(d.table), ConsistentRead: aws.Bool(d.consistent)}
	page := dynamoPage{}
	if d.segments > 1 {
		in.Segment, in.TotalSegments = aws.Int32(int32(segment)), aws.Int32(int32(d.segments))
		page.within = " of segment " + strconv.Itoa(segment)
	}
	if d.size > 0 {
		in.Limit = aws.Int32(int32(min(d.size, 1_000_000)))
	}
	for {
		page.number++
		out, err := d.client.Scan(ctx, in)
		if err == nil {
			d.answered.Store(true)
		}
		switch {
		case err != nil:
			page.items, page.err = nil, d.failed(ctx, err)
		case len(out.LastEvaluatedKey) > 0 && sameKey(out.LastEvaluatedKey, in.ExclusiveStartKey):
			page.items, page.err = nil, fault.New(fault.Unavailable, "page %d ends where it began", page.number).At("%s", d.Describe()).
				Fix("the server does not go on; nothing was taken over")
		default:
			page.items = out.Items
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return
		}
		if page.err != nil || len(out.LastEvaluatedKey) == 0 {
			return
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func sameKey(a, b map[string]types.AttributeValue) bool {
	return value.Equal(fromDynamo(&types.AttributeValueMemberM{Value: a}), fromDynamo(&types.AttributeValueMemberM{Value: b}))
}

// failed words an error of AWS.
func (d *dynamoReader) failed(ctx context.Context, err error) error {
	var api smithy.APIError
	var f *fault.Error
	switch {
	case ctx.Err() != nil:
		return broken(ctx, err, "the table").At("%s", d.Describe())
	case errors.As(err, &api):
		kind, remedy := fault.Unavailable, "nothing was taken over; read it again"
		switch api.ErrorCode() {
		case "ResourceNotFoundException":
			kind, remedy = fault.NotFound, "check table, region and the account of the credentials"
		case "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "MissingAuthenticationTokenException":
			kind, remedy = fault.Unauthorized, "check the credentials; they need dynamodb:Scan on the table"
		case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded":
			kind, remedy = fault.RateLimited, "give the table more capacity to read, fewer segments, or read it later"
		case "ValidationException":
			kind, remedy = fault.Invalid, "correct the settings of the source"
		}
		return fault.Wrap(kind, err, "AWS answered %s: %s", api.ErrorCode(), strings.TrimSuffix(api.ErrorMessage(), ".")).At("%s", d.Describe()).Fix("%s", remedy)
	case errors.As(err, &f):
		remedy := f.Remedy
		if remedy == "" {
			remedy = "nothing was taken over; read it again"
		}
		return fault.Wrap(f.Kind, err, "%s: %s", d.base, f.Msg).At("%s", d.Describe()).Fix("%s", remedy)
	}
	return fault.Wrap(fault.Unauthorized, err, "AWS was not called").At("%s", d.Describe()).
		Fix("check the credentials: accessKeyId and secretAccessKey, profile, or the usual ones of AWS")
}

// fromDynamo turns an attribute into a JSON value. Numbers keep their digits,
// bytes are written in base64, and sets are put in order: DynamoDB gives them in
// any.
func fromDynamo(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return dynamoNumber(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberB:
		return base64.StdEncoding.EncodeToString(v.Value)
	case *types.AttributeValueMemberM:
		out := make(map[string]any, len(v.Value))
		for name, inner := range v.Value {
			out[name] = fromDynamo(inner)
		}
		return out
	case *types.AttributeValueMemberL:
		out := make([]any, len(v.Value))
		for i, inner := range v.Value {
			out[i] = fromDynamo(inner)
		}
		return out
	case *types.AttributeValueMemberSS:
		return ordered(v.Value, func(s string) any { return s })
	case *types.AttributeValueMemberNS:
		return ordered(v.Value, dynamoNumber)
	case *types.AttributeValueMemberBS:
		texts := make([]string, len(v.Value))
		for i, b := range v.Value {
			texts[i] = base64.StdEncoding.EncodeToString(b)
		}
		return ordered(texts, func(s string) any { return s })
	}
	return nil
}

func dynamoNumber(s string) any {
	if json.Valid([]byte(s)) {
		return json.Number(s)
	}
	return s
}

func ordered(set []string, one func(string) any) []any {
	set = slices.Sorted(slices.Values(set))
	out := make([]any, len(set))
	for i, s := range set {
		out[i] = one(s)
	}
	return out
}
