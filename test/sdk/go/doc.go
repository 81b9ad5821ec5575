// Package sdktest runs the official OpenAI Go SDK, unchanged, against a running
// Sluice. It is a module of its own so that the SDK weighs on nobody else; the
// suite in the parent folder starts the server and runs it.
package sdktest
