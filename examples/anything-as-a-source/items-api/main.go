// Command items-api puts the items API of Amazon's tutorial ("Create a CRUD HTTP API
// with Lambda and DynamoDB") in front of a DynamoDB table: GET and PUT /items, GET
// and DELETE /items/{id}. It makes the table when it is missing.
//
// It is an example of a source of truth that nobody has integrated, not a part of
// Lanyard, and asks nobody who they are: it listens on this machine only.
//
//	go run ./examples/anything-as-a-source/items-api --dynamodb http://127.0.0.1:8000
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8490", "address")
	endpoint := flag.String("dynamodb", "", "URL of a local DynamoDB (dynalite, DynamoDB local); empty: Amazon's, with the usual credentials")
	table := flag.String("table", "http-crud-tutorial-items", "name of the table")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *endpoint, *table); err != nil {
		log.Fatal(err) //nolint:gocritic // the process ends
	}
}

func run(ctx context.Context, listen, endpoint, table string) error {
	db, err := open(ctx, endpoint)
	if err != nil {
		return err
	}
	a := &api{db: db, table: table}
	if err := a.prepare(ctx); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	srv := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// open returns a client. A local DynamoDB takes any credentials.
func open(ctx context.Context, endpoint string) (*dynamodb.Client, error) {
	if endpoint != "" {
		return dynamodb.New(dynamodb.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		}), nil
	}
	c, err := awsconfig.LoadDefaultConfig(ctx)
	return dynamodb.NewFromConfig(c), err
}

type api struct {
	db    *dynamodb.Client
	table string
}

// prepare makes the table when it is missing, and waits until it is there.
func (a *api) prepare(ctx context.Context) error {
	_, err := a.db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &a.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	var there *types.ResourceInUseException
	if err != nil && !errors.As(err, &there) {
		return err
	}
	return dynamodb.NewTableExistsWaiter(a.db, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 100 * time.Millisecond }).
		Wait(ctx, &dynamodb.DescribeTableInput{TableName: &a.table}, time.Minute)
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items", answer(a.list))
	mux.HandleFunc("PUT /items", answer(a.put))
	mux.HandleFunc("GET /items/{id}", answer(a.get))
	mux.HandleFunc("DELETE /items/{id}", answer(a.remove))
	return mux
}

// answer writes what a function returns as JSON.
func answer(f func(*http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, body, err := f(r)
		if err != nil {
			log.Print(err)
			status, body = http.StatusBadGateway, map[string]string{"message": "DynamoDB did not answer as expected"}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// list returns all items: a scan, page by page.
func (a *api) list(r *http.Request) (int, any, error) {
	items := []map[string]any{}
	pages := dynamodb.NewScanPaginator(a.db, &dynamodb.ScanInput{TableName: &a.table})
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.Context())
		if err != nil {
			return 0, nil, err
		}
		for _, item := range page.Items {
			items = append(items, plain(item))
		}
	}
	return http.StatusOK, map[string]any{"Items": items, "Count": len(items)}, nil
}

// maxItem is the size of a request at most: that of an item of DynamoDB.
const maxItem = 400 << 10

func (a *api) put(r *http.Request) (int, any, error) {
	var item map[string]any
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxItem))
	dec.UseNumber()
	err := dec.Decode(&item)
	id, _ := item["id"].(string)
	if err != nil || id == "" {
		return http.StatusBadRequest, map[string]string{"message": "the body has to be a JSON object with an id, a text"}, nil //nolint:nilerr // the caller is told; it is no error of ours
	}
	_, err = a.db.PutItem(r.Context(), &dynamodb.PutItemInput{TableName: &a.table, Item: attributes(item)})
	return http.StatusOK, "Put item " + id, err
}

func (a *api) get(r *http.Request) (int, any, error) {
	out, err := a.db.GetItem(r.Context(), &dynamodb.GetItemInput{TableName: &a.table, Key: key(r)})
	if err != nil {
		return 0, nil, err
	}
	if out.Item == nil {
		return http.StatusNotFound, map[string]string{"message": "there is no such item"}, nil
	}
	return http.StatusOK, plain(out.Item), nil
}

func (a *api) remove(r *http.Request) (int, any, error) {
	_, err := a.db.DeleteItem(r.Context(), &dynamodb.DeleteItemInput{TableName: &a.table, Key: key(r)})
	return http.StatusOK, "Deleted item " + r.PathValue("id"), err
}

func key(r *http.Request) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: r.PathValue("id")}}
}

// attributes is a flat JSON object as DynamoDB has it. What is neither text, number,
// boolean nor null is kept as the text of its JSON.
func attributes(item map[string]any) map[string]types.AttributeValue {
	out := map[string]types.AttributeValue{}
	for name, v := range item {
		switch v := v.(type) {
		case string:
			out[name] = &types.AttributeValueMemberS{Value: v}
		case bool:
			out[name] = &types.AttributeValueMemberBOOL{Value: v}
		case json.Number:
			out[name] = &types.AttributeValueMemberN{Value: v.String()}
		case nil:
			out[name] = &types.AttributeValueMemberNULL{Value: true}
		default:
			text, _ := json.Marshal(v) // it came from JSON
			out[name] = &types.AttributeValueMemberS{Value: string(text)}
		}
	}
	return out
}

func plain(item map[string]types.AttributeValue) map[string]any {
	out := map[string]any{}
	for name, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			out[name] = v.Value
		case *types.AttributeValueMemberBOOL:
			out[name] = v.Value
		case *types.AttributeValueMemberN:
			out[name] = json.Number(v.Value)
		default:
			out[name] = nil
		}
	}
	return out
}
