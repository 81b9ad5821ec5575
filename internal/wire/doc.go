// Package wire is HTTP/1.1 on the socket: the server half ([Server], whose
// [Conn] is a [sluice.Inbound]) and the client half ([Pool], a
// [sluice.Outbound]). One goroutine per client connection reads the request,
// runs the handler, drives the upstream and writes the answer; nothing is
// handed between goroutines and next to nothing is allocated per request. It
// knows nothing of routes, keys or models.
//
// # Accepted
//
// HTTP/1.0 and HTTP/1.1 over TCP or TLS; origin-form, absolute-form (http and
// https; its authority replaces Host) and "OPTIONS *"; bodies framed by
// Content-Length or by chunked alone; keep-alive and pipelining; "Expect:
// 100-continue", answered when the body is first read and not before. From
// upstreams also bodies delimited by the end of the connection, and up to
// [MaxInformational] informational answers, which are skipped.
//
// # Refused
//
// Anything two parsers could read differently, with 400 and a closed
// connection: Content-Length beside Transfer-Encoding; a repeated, signed,
// empty or non-decimal Content-Length; any transfer coding but one "chunked",
// and any at all in HTTP/1.0; folded lines; a bare CR or LF, NUL or another
// control byte; space before a colon; a missing, repeated, empty or malformed
// Host; "#", non-ASCII or broken percent-encoding in the target; a chunk size
// that is not 1 to 15 hex digits, a chunk extension over 1 KiB (16 KiB over the
// whole body), a chunk not closed by CRLF. Over the limits of [Limits] the
// answer is 431. CONNECT, other versions and other transfer codings are 501. An
// upstream that breaks the same rules is [sluice.CodeProviderError]; so is
// a 101 that nobody asked for.
//
// # Changed on the way
//
// Hop-by-hop fields end here in both directions (Connection, Keep-Alive,
// Proxy-Connection, Proxy-Authorization, TE, Trailer, Transfer-Encoding,
// Upgrade, HTTP2-Settings), and so do request fields that Connection names,
// except those in which credentials, tracing and framing travel: a client
// cannot have them removed. A WebSocket upgrade stays visible to the handler
// and is never forwarded by [Pool]. Field names with an underscore are dropped,
// because many back ends read "_" as "-". Request trailers are checked and
// dropped; answer trailers pass unless they name framing, routing or
// credentials. Host is lower case in [sluice.Head] and absent from its fields.
//
// # Early answers
//
// A target that answers before it has the whole body is heard at once, whether
// the body is whole or streamed, and even while the client pauses in the middle
// of it: the answer ends the upload, and a connection with an unfinished body
// is not used again, on either side. Two things wait. A streamed request leaves
// with the first piece of its body, so a client that sends a head and pauses is
// bounded by [Limits], not by an answer to that head. And a body of up to 16 KiB
// on TLS is written without a listener: a target that reads nothing at all is
// given up after the call's Idle.
//
// A client that closes its sending half counts as gone (nginx does the same): it
// can not be told from one that left until something is written.
//
// # Promised
//
// Head and first body bytes leave in one system call, as does each further
// piece; bodies over 16 KiB are written from where they lie (writev). Every
// phase has a deadline, every buffer a limit. An exchange that is broken off
// never looks complete to the client. A client that hangs up is reported within
// milliseconds on Linux and at the next write elsewhere. A late report, stop or
// second Close can not touch a connection that serves another exchange. The
// pool sends a request again only when asked to, once, on a connection that it
// had reused and that gave no byte; a reused connection is checked for
// unsolicited bytes first. After [Server.Shutdown] and [Pool.Close] no
// goroutine and no descriptor of this package is left.
package wire
