package wire

import (
	"errors"

	"github.com/sluicegate/sluice"
)

// errQuiet ends a connection that has nothing to be told: it closed, was
// drained, or stayed idle between requests.
var errQuiet = errors.New("wire: connection ended between requests")

// The refusals of the two parsers. They are values, not built per request,
// because an attacker must not be able to make us work.
var (
	errRequestLine   = sluice.Errorf(sluice.CodeInvalidRequest, "malformed request line")
	errVersion       = sluice.Errorf(sluice.CodeUnsupported, "only HTTP/1.0 and HTTP/1.1 are spoken here")
	errTarget        = sluice.Errorf(sluice.CodeInvalidRequest, "malformed request target")
	errConnect       = sluice.Errorf(sluice.CodeUnsupported, "CONNECT is not supported")
	errHost          = sluice.Errorf(sluice.CodeInvalidRequest, "missing, repeated or malformed Host")
	errLineEnd       = sluice.Errorf(sluice.CodeInvalidRequest, "a line does not end in CRLF, or is folded")
	errFieldName     = sluice.Errorf(sluice.CodeInvalidRequest, "malformed field name")
	errFieldValue    = sluice.Errorf(sluice.CodeInvalidRequest, "control byte in a field value")
	errLength        = sluice.Errorf(sluice.CodeInvalidRequest, "malformed or repeated Content-Length")
	errFraming       = sluice.Errorf(sluice.CodeInvalidRequest, "Content-Length beside Transfer-Encoding")
	errCoding        = sluice.Errorf(sluice.CodeUnsupported, "the only transfer coding is chunked, once")
	errCodingVersion = sluice.Errorf(sluice.CodeInvalidRequest, "Transfer-Encoding in HTTP/1.0")
	errExpect        = sluice.Errorf(sluice.CodeInvalidRequest, "the only expectation is 100-continue")
	errHeadTooLarge  = sluice.Errorf(sluice.CodeHeadTooLarge, "the request head exceeds its limit")
	errURLTooLarge   = sluice.Errorf(sluice.CodeHeadTooLarge, "the URL exceeds its limit")
	errChunk         = sluice.Errorf(sluice.CodeInvalidRequest, "malformed chunked body")
	errTrailer       = sluice.Errorf(sluice.CodeInvalidRequest, "malformed or oversize trailers")
	errBodyTooLarge  = sluice.Errorf(sluice.CodeTooLarge, "the request body exceeds its limit")
	errHeadSlow      = sluice.Errorf(sluice.CodeSlowClient, "the request head did not arrive in time")
	errBodySlow      = sluice.Errorf(sluice.CodeSlowClient, "the request body arrives too slowly")
	errGone          = sluice.Errorf(sluice.CodeClientGone, "the client went away")
	errStalledReader = sluice.Errorf(sluice.CodeClientGone, "the client does not read its answer")
	errOrder         = sluice.Errorf(sluice.CodeInternal, "answer written out of order")
	errAnswerField   = sluice.Errorf(sluice.CodeInternal, "malformed field in an answer")
	errAnswerLength  = sluice.Errorf(sluice.CodeInternal, "the answer does not match its length")
	errNoTunnel      = sluice.Errorf(sluice.CodeUnsupported, "the connection cannot be taken over in this state")

	errStatusLine   = sluice.Errorf(sluice.CodeProviderError, "the upstream did not answer in HTTP/1.1")
	errAnswerHead   = sluice.Errorf(sluice.CodeProviderError, "the upstream's answer has a malformed head")
	errAnswerLarge  = sluice.Errorf(sluice.CodeProviderError, "the upstream's answer has an oversize head")
	errAnswerFrame  = sluice.Errorf(sluice.CodeProviderError, "the upstream's answer is framed ambiguously")
	errAnswerChunk  = sluice.Errorf(sluice.CodeProviderError, "the upstream's answer has a malformed chunk")
	errSwitched     = sluice.Errorf(sluice.CodeProviderError, "the upstream switched protocols unasked")
	errInterim      = sluice.Errorf(sluice.CodeProviderError, "the upstream sent too many interim answers")
	errUpstreamGone = sluice.Errorf(sluice.CodeProviderError, "the upstream closed the connection before its answer was complete")
	errUnreachable  = sluice.Errorf(sluice.CodeProviderError, "the upstream cannot be reached")
	errConnectTime  = sluice.Errorf(sluice.CodeTimeout, "the upstream did not accept the connection in time")
	errFirstByte    = sluice.Errorf(sluice.CodeTimeout, "the upstream did not begin its answer in time")
	errSilent       = sluice.Errorf(sluice.CodeTimeout, "the upstream fell silent")
	errStopped      = sluice.Errorf(sluice.CodeClientGone, "the call was stopped")
	errPoolClosed   = sluice.Errorf(sluice.CodeUnavailable, "the gateway is shutting down")
	errCallHead     = sluice.Errorf(sluice.CodeInternal, "the call has a malformed method, target, host or field")
)
