package openai

import (
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/responses"
)

// The names of operations, as models and records use them.
const (
	opChat        = "chat"
	opCompletions = "completions"
	opEmbeddings  = "embeddings"
	opImages      = "images"
	opAudio       = "audio"
	opModerations = "moderations"
	opRerank      = "rerank"
	opModels      = "models"
)

// prefix is where this API lives on the gateway.
const prefix = "/v1"

// endpoint is what is known of one path before its body is read.
type endpoint struct {
	path string
	name string
	// form and json tell which bodies it takes.
	form, json bool
	// model tells that the body must name one.
	model bool
	// streams tells that a true "stream" makes the answer a stream.
	streams bool
	// binary tells that a success need not be JSON.
	binary bool
	// responses tells that its bodies are those of the Responses API.
	responses bool
	// pieces is what it is measured in besides tokens.
	pieces metered
}

// metered is what an operation is measured in besides tokens.
type metered byte

const (
	noPieces  metered = iota
	pictures          // generated images
	speech            // characters of the text to be spoken
	recording         // seconds of what is heard
	ranking           // search units
)

// endpoints are the operations that leave nothing behind at the target.
var endpoints = []endpoint{
	{path: "/chat/completions", name: opChat, json: true, model: true, streams: true},
	{path: responses.Path, name: opChat, json: true, model: true, streams: true, responses: true},
	{path: responses.CountPath, name: dialect.OpCount, json: true, model: true, responses: true},
	{path: "/completions", name: opCompletions, json: true, model: true, streams: true},
	{path: "/embeddings", name: opEmbeddings, json: true, model: true},
	{path: "/images/generations", name: opImages, json: true, model: true, streams: true, pieces: pictures},
	{path: "/images/edits", name: opImages, json: true, form: true, model: true, streams: true, pieces: pictures},
	{path: "/images/variations", name: opImages, form: true, model: true, pieces: pictures},
	{path: "/audio/speech", name: opAudio, json: true, model: true, streams: true, binary: true, pieces: speech},
	{path: "/audio/transcriptions", name: opAudio, form: true, model: true, streams: true, binary: true, pieces: recording},
	{path: "/audio/translations", name: opAudio, form: true, model: true, binary: true, pieces: recording},
	{path: "/moderations", name: opModerations, json: true, model: true},
	{path: "/rerank", name: opRerank, json: true, model: true, pieces: ranking},
}

// endpointAt returns the endpoint with this path, nil if there is none.
func endpointAt(path string) *endpoint {
	for i := range endpoints {
		if endpoints[i].path == path {
			return &endpoints[i]
		}
	}
	return nil
}

// stateful are the families that create objects at the target, in the account
// that all tenants share there, and why each is refused.
var stateful = []struct{ root, what string }{
	{"/responses", "stored responses"},
	{"/conversations", "stored conversations"},
	{"/files", "files"},
	{"/uploads", "uploads"},
	{"/batches", "batches"},
	{"/fine_tuning", "fine-tuning jobs and models"},
	{"/fine-tunes", "fine-tuning jobs and models"},
	{"/assistants", "assistants"},
	{"/threads", "threads"},
	{"/vector_stores", "vector stores"},
	{"/realtime", "realtime sessions"},
	{"/containers", "containers"},
	{"/evals", "evaluations"},
	{"/videos", "videos"},
	{"/organization", "settings of the provider's account"},
	{"/projects", "settings of the provider's account"},
	{"/audio/voices", "voices"},
	{"/audio/voice_consents", "voice consents"},
	{"/chatkit", "sessions"},
	{"/skills", "skills"},
}

// operation is [Surface.Operation].
func operation(method, path string) (dialect.Operation, error) {
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok {
		return dialect.Operation{}, unknown(path)
	}
	if rest == "/models" || strings.HasPrefix(rest, "/models/") {
		return modelsOperation(method, rest)
	}
	if e := endpointAt(rest); e != nil {
		if method != "POST" {
			if rest == "/chat/completions" && method == "GET" {
				return dialect.Operation{}, refuseStored("stored chat completions")
			}
			return dialect.Operation{}, wrongMethod(method, "POST")
		}
		return dialect.Operation{Name: e.name, Path: e.path}, nil
	}
	if id, ok := strings.CutPrefix(rest, "/chat/completions/"); ok && id != "" {
		return dialect.Operation{}, refuseStored("stored chat completions")
	}
	for _, s := range stateful {
		if rest == s.root || strings.HasPrefix(rest, s.root+"/") {
			return dialect.Operation{}, refuseStored(s.what)
		}
	}
	return dialect.Operation{}, unknown(path)
}

// modelsOperation is the list of models or one of them, whose id may hold
// slashes.
func modelsOperation(method, rest string) (dialect.Operation, error) {
	id := strings.TrimPrefix(strings.TrimPrefix(rest, "/models"), "/")
	if method == "DELETE" && id != "" {
		return dialect.Operation{}, refuseStored("fine-tuning jobs and models")
	}
	if method != "GET" && method != "HEAD" {
		return dialect.Operation{}, wrongMethod(method, "GET")
	}
	return dialect.Operation{Name: opModels, Path: "/models", Local: true, Model: unescapePath(id)}, nil
}

// unescapePath undoes percent-encoding, with which SDKs send slashes in ids;
// what is not valid stays as it is and will name no model.
func unescapePath(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi >= 0 && lo >= 0 {
				out.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func unknown(path string) error {
	return sluice.Errorf(sluice.CodeNotFound, "%s is not an operation of this API", clip(path))
}

func wrongMethod(method, allowed string) error {
	return sluice.Errorf(sluice.CodeMethodNotAllowed, "method %s is not allowed here, use %s", clip(method), allowed).With("allow", []string{allowed})
}

// refuseStored explains why an operation with a memory is not offered: what it
// creates would lie in the operator's account, open to every tenant.
func refuseStored(what string) error {
	return sluice.Errorf(sluice.CodeUnsupported, "%s are not supported: they would be kept in an account at the provider that tenants share", what)
}

// clip shortens what a client sent before it is quoted back.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
