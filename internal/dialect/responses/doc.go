// Package responses knows OpenAI's Responses API (POST /v1/responses) in both
// directions: [Front] reads a client's request and writes its answer, [Back]
// writes a request and reads a provider's answer, and [Passing] watches answers
// that pass from a provider of this API to a client of it. The rules of the
// translation are in docs/dialects/responses.md.
//
// Start at [Inspect], which reads what the gateway has to know of a request
// before anything else. Everything is stateless: what would refer to objects
// stored at the provider, in an account that tenants share, is refused there.
//
// The package performs no I/O. Its values are used by one goroutine, except
// [Back].
package responses

import "github.com/sluicegate/sluice"

// Limits on what one request may hold, and on the names in it.
const (
	maxItems     = 10_000
	maxTools     = 2_000
	maxModelName = 256
	maxTokens    = 1_000_000_000
)

// invalid blames a member of the client's body, by its JSON pointer.
func invalid(field, format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, format, args...).At(field)
}
