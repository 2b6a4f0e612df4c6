package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/extract"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// dynaliteItems is how many people the table has: more than fit on a page of a
// megabyte.
const dynaliteItems = 3_000

// useDynalite reads a table of dynalite in every way that there is.
func useDynalite(ctx context.Context, _ *org, out io.Writer) (err error) {
	if err := haveModules(); err != nil {
		return err
	}
	address, stop, err := startDynalite(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := fillDynalite(ctx, address); err != nil {
		return err
	}
	for _, options := range []string{"", ", size: 100", ", consistent: true", ", segments: 4", ", segments: 3, size: 70"} {
		pages, err := readDynalite(ctx, address, options)
		if err != nil {
			return fmt.Errorf("with %q: %w", options, err)
		}
		fmt.Fprintf(out, "  %d items of %d pages%s\n", dynaliteItems, pages, options)
	}
	return nil
}

// startDynalite starts the server; stop ends it.
func startDynalite(ctx context.Context) (address string, stop func() error, err error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "node", filepath.Join(clientsFolder, "dynalite-server.mjs"))
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return "", nil, fmt.Errorf("dynalite did not start: %w\n%s", errors.Join(err, stop()), indent(stderr.String()))
	}
	return strings.TrimSpace(line), stop, nil
}

// fillDynalite makes a table of people with attributes of every type.
func fillDynalite(ctx context.Context, address string) error {
	db := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(address), Credentials: credentials.NewStaticCredentialsProvider("made-up", "made-up", ""),
	})
	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("items"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		return err
	}
	const batch = 25 // the most that a request may have
	for from := 0; from < dynaliteItems; from += batch {
		var puts []types.WriteRequest
		for i := from; i < min(from+batch, dynaliteItems); i++ {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: dynaliteItem(i)}})
		}
		done, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"items": puts}})
		if err != nil {
			return err
		}
		if len(done.UnprocessedItems) > 0 {
			return errors.New("dynalite left items out")
		}
	}
	return nil
}

func dynaliteItem(i int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: strconv.Itoa(i)}, "active": &types.AttributeValueMemberBOOL{Value: i%2 == 0},
		"rate": &types.AttributeValueMemberN{Value: "12345678901234567890.5"}, "left": &types.AttributeValueMemberNULL{Value: true},
		"photo": &types.AttributeValueMemberB{Value: []byte{0, 255}}, "text": &types.AttributeValueMemberS{Value: strings.Repeat("x", 500)},
		"name":    &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"first": &types.AttributeValueMemberS{Value: "Ada"}}},
		"list":    &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberN{Value: "1"}}},
		"groups":  &types.AttributeValueMemberSS{Value: []string{"b", "a"}},
		"numbers": &types.AttributeValueMemberNS{Value: []string{"2", "1"}},
	}
}

// readDynalite reads the table and compares every item.
func readDynalite(ctx context.Context, address, options string) (pages int, err error) {
	from, err := value.ParseYAML([]byte("dynamodb: {table: items, region: us-east-1, endpoint: '"+address+
		"', allowPrivate: true, accessKeyId: made-up, secretAccessKey: env:KEY"+options+"}"), "dynalite")
	if err != nil {
		return 0, err
	}
	source, err := extract.Parse(config.Section{Node: from, File: "dynalite"})
	if err != nil {
		return 0, err
	}
	reader, err := extract.Open(ctx, source, extract.Env{Secrets: &secret.Resolver{Env: func(string) (string, bool) { return "made-up", true }}})
	if err != nil {
		return 0, err
	}
	seen, begun := map[any]bool{}, map[string]bool{}
	for l, err := range reader.Rows(ctx) {
		if err != nil {
			return 0, err
		}
		id, _ := l.Row["id"].(string)
		i, err := strconv.Atoi(id)
		if err != nil || seen[id] {
			return 0, fmt.Errorf("%s: the id is %q, or was there before", l.Place, id)
		}
		want, err := value.Decode(fmt.Appendf(nil, `{"id":"%d","active":%v,"rate":12345678901234567890.5,"left":null,"photo":"AP8=",
			"text":"%s","name":{"first":"Ada"},"list":[1],"groups":["a","b"],"numbers":[1,2]}`, i, i%2 == 0, strings.Repeat("x", 500)))
		if err != nil {
			return 0, err
		}
		if got := map[string]any(l.Row); !value.Equal(want, got) {
			return 0, fmt.Errorf("%s is %s", l.Place, value.Text(got))
		}
		seen[id] = true
		_, page, _ := strings.Cut(l.Place, " of ")
		begun[page] = true
	}
	if len(seen) != dynaliteItems || len(begun) < 2 {
		return 0, fmt.Errorf("%d items of %d pages", len(seen), len(begun))
	}
	return len(begun), nil
}
