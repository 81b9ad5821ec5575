package gemini

import (
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// The verbs behind a model's name in a path.
const (
	verbGenerate   = "generateContent"
	verbStream     = "streamGenerateContent"
	verbCount      = "countTokens"
	verbEmbed      = "embedContent"
	verbEmbedBatch = "batchEmbedContents"
)

// verbs are the operations that leave nothing behind at the target, by verb.
var verbs = map[string]string{
	verbGenerate: dialect.OpChat, verbStream: dialect.OpChat, verbCount: dialect.OpCount,
	verbEmbed: dialect.OpEmbeddings, verbEmbedBatch: dialect.OpEmbeddings,
}

// prefixes are where this API lives on the gateway: its versions.
var prefixes = []string{"/v1beta/", "/v1alpha/", "/v1/"}

// stateful are the families and verbs that create objects at the target, in the
// account that all tenants share there, and what each keeps.
var stateful = map[string]string{
	"files": "files", "cachedContents": "cached contents", "batches": "batches", "operations": "long-running operations",
	"tunedModels": "tuned models", "corpora": "corpora", "ragStores": "corpora", "fileSearchStores": "file search stores",
	"generatedFiles": "generated files", "interactions": "stored interactions", "dynamic": "tuned models",
	"auth_tokens": "tokens of live sessions", "upload": "files", "ws": "live sessions",
	"batchGenerateContent": "batches", "asyncBatchEmbedContent": "batches", "predictLongRunning": "long-running operations",
	"bidiGenerateContent": "live sessions", "createTunedModel": "tuned models",
}

// operation is [Surface.Operation]. Path is the verb alone and Model the name in
// the path, so that operations are few and models many.
func operation(method, path string) (dialect.Operation, error) {
	rest, ok := "", false
	for _, prefix := range prefixes {
		if rest, ok = strings.CutPrefix(path, prefix); ok {
			break
		}
	}
	family, name, _ := strings.Cut(rest, "/")
	if what, kept := stateful[strings.SplitN(strings.TrimPrefix(path, "/"), "/", 2)[0]]; kept {
		return dialect.Operation{}, refuseStored(what)
	}
	if what, kept := stateful[family]; kept && ok {
		return dialect.Operation{}, refuseStored(what)
	}
	if !ok || family != "models" {
		return dialect.Operation{}, unknown(path)
	}
	// A colon may be part of a model's name, too: only the last one counts, and
	// only before a verb.
	if i := strings.LastIndexByte(name, ':'); i >= 0 && method != "GET" {
		return modelOperation(method, path, unescapePath(name[:i]), name[i+1:])
	}
	return modelsOperation(method, unescapePath(name))
}

// modelOperation is what is asked of one model.
func modelOperation(method, path, model, verb string) (dialect.Operation, error) {
	if what, kept := stateful[verb]; kept {
		return dialect.Operation{}, refuseStored(what)
	}
	name, ok := verbs[verb]
	if !ok {
		return dialect.Operation{}, unknown(path)
	}
	if method != "POST" {
		return dialect.Operation{}, wrongMethod(method, "POST")
	}
	model = strings.TrimPrefix(model, "models/")
	if strings.HasPrefix(model, "tunedModels/") {
		return dialect.Operation{}, refuseStored("tuned models")
	}
	return dialect.Operation{Name: name, Path: ":" + verb, Model: model}, nil
}

// modelsOperation is the list of models or one of them, whose name may hold
// slashes.
func modelsOperation(method, name string) (dialect.Operation, error) {
	if method != "GET" && method != "HEAD" {
		return dialect.Operation{}, wrongMethod(method, "GET")
	}
	name = strings.TrimPrefix(name, "models/")
	return dialect.Operation{Name: dialect.OpModels, Path: "/models", Local: true, Model: name}, nil
}

// unescapePath undoes percent-encoding, with which SDKs send slashes in names;
// what is not valid stays as it is and will name no model.
func unescapePath(s string) string {
	plain, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return plain
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
