// Package sluice holds the nouns of the product and their rules: tenants,
// users, keys, providers, models, routes, money, usage and records; the one
// table of error codes; and the four ports between the control plane, which
// owns truth, and the gateway, which owns traffic.
//
// It performs no I/O and imports nothing but the standard library, so that
// every other package may import it. Start at [Snapshot] to see what a gateway
// knows, at [Admission] and its three sisters to see what crosses between the
// planes, and at [Inbound] and [Outbound] to see how bytes reach the pipeline.
package sluice
