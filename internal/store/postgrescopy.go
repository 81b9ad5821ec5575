package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// copyRows brings rows, none of which may exist, into a table of PostgreSQL by
// COPY: the server stores some while the next are rendered, and neither plans nor
// looks for what exists. A row that does exist fails all: see [isTaken].
func (tx *Tx) copyRows(table string, columns bulk, rows rowSource) error {
	if rows.n == 0 {
		return nil
	}
	ctx, done := tx.statement()
	defer done()
	return tx.conn.Raw(func(driver any) error {
		source := &copySource{rows: rows, columns: len(columns)}
		_, err := driver.(*stdlib.Conn).Conn().PgConn().CopyFrom(ctx, source, `COPY "`+table+`" (`+strings.Join(columns.names(), ", ")+`) FROM STDIN (FORMAT binary)`)
		return errors.Join(source.close(), err)
	})
}

// isTaken reports whether a row was to be inserted that exists.
func isTaken(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == stateUnique
}

// copyChunk is about how many bytes are rendered at once.
const copyChunk = 16 << 10

// copySource renders rows in the binary form of COPY
// (https://www.postgresql.org/docs/current/sql-copy.html): columns of the types
// bigint, text and bytea. The driver reads it in a goroutine that a lost connection
// leaves behind: once closed, it touches no rows any more.
type copySource struct {
	mu      sync.Mutex
	rows    rowSource
	columns int
	next    int // row to render
	ended   bool
	closed  bool
	args    []any
	chunk   []byte
	unread  []byte
	err     error
}

// Read implements [io.Reader].
func (s *copySource) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	if len(s.unread) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		if s.err = s.render(); s.err != nil {
			return 0, s.err
		}
	}
	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

// close ends reading and returns why a row could not be rendered.
func (s *copySource) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.err
}

// render makes the next chunk.
func (s *copySource) render() (err error) {
	b := s.chunk[:0]
	if s.next == 0 {
		b = append(b, "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000"...)
	}
	for s.next < s.rows.n && len(b) < copyChunk {
		if s.args, err = s.rows.row(s.args[:0], s.next); err != nil {
			return err
		}
		b = binary.BigEndian.AppendUint16(b, uint16(s.columns))
		for _, v := range s.args {
			if b, err = appendCopied(b, v); err != nil {
				return err
			}
		}
		s.next++
	}
	if s.next == s.rows.n {
		b, s.ended = append(b, 0xff, 0xff), true
	}
	s.chunk, s.unread = b, b
	return nil
}

// appendCopied renders a value behind its length.
func appendCopied(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, 0xff, 0xff, 0xff, 0xff), nil
	case int64:
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(v)), nil
	case string:
		v = cleanText(v)
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...), nil
	case []byte:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...), nil
	}
	return b, fmt.Errorf("a value of type %T cannot be copied", v)
}
