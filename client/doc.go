// Package client is the Go SDK of Sluice's control API. Its methods are those
// of the control plane's own sessions, with the same arguments, answers and
// error codes: one test suite runs on both, and code cannot tell whether it
// works in the process or across the network.
//
//	c, err := client.New(client.Config{BaseURL: "http://127.0.0.1:8081", Email: email, Password: password})
//	key, err := c.Keys().Create(ctx, sluice.Key{Meta: sluice.Meta{Name: "checkout"}}, sluice.WriteOptions{})
//
// Errors that the server states are [*sluice.Error]; anything else, such as a
// connection that cannot be made, is wrapped as it is.
package client
