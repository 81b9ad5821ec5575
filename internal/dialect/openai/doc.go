// Package openai speaks OpenAI's HTTP API on both sides: the surface that
// clients with an official SDK use, and the dialects of targets that answer in
// kind (openai, openai-compatible, azure-openai). Both sides being equal, bodies
// pass through byte for byte, but for the model's name and
// stream_options.include_usage; usage is read from the passing bytes.
//
// Start at [Surface] and [Dialects]. The package does no I/O, knows nothing of
// keys, groups or prices, and decodes neither messages nor deltas.
package openai

// Name is the name of the surface.
const Name = "openai"
