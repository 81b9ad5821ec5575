// Package gemini speaks Google's Gemini API (generativelanguage v1beta) on both
// sides: the surface that clients with Google's SDK use, and the dialect of
// targets that answer in kind. Both sides being equal, bodies pass through as
// they stand; otherwise they are read into, and written from, the intermediate
// forms of package form.
//
// Start at [Surface] and [Dialect]. Requests are in request.go as they are on
// the wire, answers in response.go; front.go reads and writes for clients,
// back.go for targets. The package does no I/O and knows nothing of keys, groups
// or prices.
//
// Google's servers read JSON as protobuf does (ProtoJSON): members may be
// written in camelCase or snake_case, and integers as strings. So does this
// package.
package gemini

// Name is the name of the surface and of the dialect.
const Name = "gemini"
