// Package peer holds what every dialect needs to know of its provider's account,
// whichever protocol it speaks: what errors of providers mean ([Scrubber.Failure],
// [Scrubber.Embedded]), what must not be shown of an account ([Scrubber]), which
// fields of an answer pass ([PassFields]), and where a base URL is dialled
// ([Address]). It knows no protocol and performs no I/O.
package peer
