package plugintest

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// Answer is what the target says; the zero value is an empty 200.
type Answer struct {
	// Status is the HTTP status; 0 means 200.
	Status int
	// Fields are the header fields, names and values alternating.
	Fields []string
	// Chunks are the pieces of the body; more than one is a streamed answer.
	Chunks []string
	// Refuse is the error of Admission, as if a claim had been refused.
	Refuse error
}

// Result is what the client and the books would see.
type Result struct {
	// Err is the error that ended the exchange, nil on success.
	Err error
	// Reached tells whether a target would have been called.
	Reached bool
	// Status, Fields and Body are the answer. That of an error is its code's
	// status and an empty body, unless the configuration replaces it.
	Status int
	Fields sluice.Fields
	Body   string
	// Length is the answer's content length after the header filters.
	Length int64
	// Claims are what Admission would have been asked for.
	Claims []sluice.Claim
	// Trace is what each plugin did.
	Trace []sluice.PluginTrace
}

// Registry returns a registry of the specs without filters; it fails the test
// when a definition is wrong.
func Registry(t testing.TB, specs ...plugin.Spec) *plugin.Registry {
	t.Helper()
	r, err := plugin.New(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Env returns an environment whose clock stands at [Start] and whose log goes
// to the test.
func Env(t testing.TB) plugin.Env {
	return plugin.Env{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return Start }}
}

// Compile compiles one configuration as a route's; it fails the test when the
// configuration is not valid.
func Compile(t testing.TB, spec plugin.Spec, config string) *plugin.Chain {
	t.Helper()
	layer := plugin.Layer{Level: plugin.LevelRoute, Owner: "routes/1", Plugins: map[string]json.RawMessage{spec.Name: json.RawMessage(config)}}
	c, err := Registry(t, spec).Compile(Env(t), nil, layer)
	if err != nil {
		t.Fatalf("compile %s %s: %v", spec.Name, config, err)
	}
	return c
}

// Run takes an exchange through every phase of a chain with this one plugin.
func Run(t testing.TB, spec plugin.Spec, config string, x *plugin.Exchange, answer Answer) Result {
	t.Helper()
	return RunChain(Compile(t, spec, config), x, answer)
}

// RunChain takes an exchange through every phase in the order of a gateway.
func RunChain(c *plugin.Chain, x *plugin.Exchange, answer Answer) Result {
	err := c.Auth(x)
	if err == nil && x.Reply() == nil {
		err = c.Access(x)
	}
	if err == nil && x.Reply() == nil {
		err = x.Refused(answer.Refuse)
	}
	r := Result{Reached: err == nil && x.Reply() == nil, Claims: x.Claims()}
	chunks := begin(x, err, answer)
	r.Body, r.Err = filter(c, x, chunks)
	if err != nil {
		r.Err = err
	}
	r.Status, r.Fields, r.Length = x.Response.Status, x.Response.Fields, x.Response.ContentLength
	c.Log(x, &sluice.Record{ID: x.ID, Time: x.Start, Method: x.Request.Method, Path: x.Request.Path, Host: x.Request.Host, Status: r.Status})
	r.Trace = x.Trace
	return r
}

// begin sets the head of the answer by who makes it, and returns its body.
func begin(x *plugin.Exchange, err error, answer Answer) [][]byte {
	if err != nil {
		return beginError(x, err)
	}
	if reply := x.Reply(); reply != nil {
		x.Origin, x.Response = plugin.OriginPlugin, &reply.Head
		return [][]byte{reply.Body}
	}
	x.Origin, x.Response = plugin.OriginTarget, &sluice.RespHead{Status: answer.Status}
	if answer.Status == 0 {
		x.Response.Status = 200
	}
	for i := 0; i+1 < len(answer.Fields); i += 2 {
		x.Response.Fields.Add(answer.Fields[i], answer.Fields[i+1])
	}
	var chunks [][]byte
	for _, c := range answer.Chunks {
		chunks = append(chunks, []byte(c))
		x.Response.ContentLength += int64(len(c))
	}
	x.TargetStatus = x.Response.Status
	return chunks
}

func beginError(x *plugin.Exchange, err error) [][]byte {
	x.Origin, x.Err = plugin.OriginGateway, sluice.AsError(err)
	body, contentType, ok := plugin.ErrorResponse(err)
	x.Response = &sluice.RespHead{Status: sluice.CodeInfo(x.Err.Code).Status, ContentLength: int64(len(body))}
	if !ok {
		return nil
	}
	x.Response.Fields.Add("Content-Type", contentType)
	return [][]byte{body}
}

// filter runs both filter phases and returns the body that leaves. Each piece
// is spoilt after its call, so that a plugin which keeps leased bytes fails its
// test and not its users.
func filter(c *plugin.Chain, x *plugin.Exchange, chunks [][]byte) (string, error) {
	if err := c.HeaderFilter(x); err != nil {
		return "", err
	}
	var body strings.Builder
	for _, chunk := range chunks {
		if err := pass(c, x, &body, chunk, false); err != nil {
			return body.String(), err
		}
	}
	err := pass(c, x, &body, nil, true)
	return body.String(), err
}

func pass(c *plugin.Chain, x *plugin.Exchange, body *strings.Builder, chunk []byte, last bool) error {
	if !c.HasBodyFilter() {
		body.Write(chunk)
		return nil
	}
	out, err := c.BodyFilter(x, chunk, last)
	body.Write(out)
	for i := range chunk {
		chunk[i] = '!'
	}
	return err
}
