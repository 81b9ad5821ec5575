package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// JournalPath is where gateways post the entries of their journals.
const JournalPath = "/internal/v1/journal"

const (
	// journalType is the content type of a post: the journal's id and a line
	// feed, the position before the entries in eight bytes, then the entries as
	// [journal.AppendBatch] writes them.
	journalType = "application/vnd.sluice.journal.v1"
	// maxJournalBody bounds a post: 256 entries of the greatest length there is,
	// which gateways of before send, are more than [journal.MaxBatchBytes].
	maxJournalBody = 256*(journal.MaxRecordBytes+17<<10) + 1<<10
	positionBytes  = 8
)

// journalID is how journals call themselves.
var journalID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// journalApplied is the answer to a post.
type journalApplied struct {
	Applied uint64 `json:"applied,string"`
}

// JournalClient carries a gateway's journal to books in another process: it
// implements [journal.Transport] and belongs to one shipper.
type JournalClient struct {
	client planeClient
	body   []byte
}

var _ journal.Transport = (*JournalClient)(nil)

// NewJournalClient returns a client of the control plane at url; arguments as for
// [NewEventsClient].
func NewJournalClient(url, planeToken string, client *http.Client) (*JournalClient, error) {
	c, err := newPlaneClient(url, JournalPath, planeToken, client)
	c.contentType = journalType
	return &JournalClient{client: c}, err
}

// Send implements [journal.Transport].
func (c *JournalClient) Send(ctx context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	c.body = append(append(c.body[:0], id...), '\n')
	c.body = binary.LittleEndian.AppendUint64(c.body, uint64(after))
	c.body = journal.AppendBatch(c.body, entries)
	var out journalApplied
	if err := c.client.post(ctx, c.body, &out); err != nil {
		return 0, err
	}
	return journal.Seq(out.Applied), nil
}

// JournalHandler serves [JournalPath]: it answers once books has durably applied
// the entries. The token as for [EventsHandler].
func JournalHandler(books journal.Transport, planeToken string) (http.Handler, error) {
	if err := CheckPlaneToken(planeToken); err != nil {
		return nil, err
	}
	return guarded(planeToken, func(w http.ResponseWriter, r *http.Request) {
		id, after, entries, err := readJournal(w, r)
		if err != nil {
			refuse(w, err)
			return
		}
		applied, err := books.Send(r.Context(), id, after, entries)
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, journalApplied{uint64(applied)})
	}), nil
}

// readJournal reads the body of a post.
func readJournal(w http.ResponseWriter, r *http.Request) (id string, after journal.Seq, entries []journal.Entry, err error) {
	if got := r.Header.Get("Content-Type"); got != journalType {
		return "", 0, nil, sluice.Errorf(sluice.CodeMediaType, "this address takes %s", journalType)
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJournalBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", 0, nil, sluice.Errorf(sluice.CodeTooLarge, "the body is larger than %d bytes", maxJournalBody)
	case err != nil:
		return "", 0, nil, sluice.Errorf(sluice.CodeSlowClient, "the body did not arrive").Because(err)
	}
	return decodeJournal(b)
}

// decodeJournal takes a post apart.
func decodeJournal(b []byte) (id string, after journal.Seq, entries []journal.Entry, err error) {
	name, rest, _ := bytes.Cut(b, []byte{'\n'})
	if !journalID.Match(name) || len(rest) < positionBytes {
		return "", 0, nil, sluice.Errorf(sluice.CodeInvalidRequest, "the body does not begin with a journal's id and a position")
	}
	after = journal.Seq(binary.LittleEndian.Uint64(rest))
	entries, err = journal.DecodeBatch(rest[positionBytes:])
	if err != nil {
		return "", 0, nil, fmt.Errorf("reading the journal of %s: %w", name, err)
	}
	if len(entries) > 0 && entries[0].Seq <= after {
		return "", 0, nil, sluice.Errorf(sluice.CodeInvalidRequest, "entry %s does not follow %s", entries[0].Seq, after)
	}
	return string(name), after, entries, nil
}
