package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluicegate/sluice/internal/link"
)

// maxAccessLog is the size at which the file of access logs is set aside; the
// one that was set aside before is removed, so two of them are the most there is.
const maxAccessLog = 256 << 20

// accessLogFile keeps what comes to POST /logs, one JSON object a line. It is
// used by one goroutine.
type accessLogFile struct{ path string }

// openAccessLogs prepares the queue; its goroutine is started with the others.
func (c *controlRole) openAccessLogs() (*link.AccessLogs, error) {
	return link.NewAccessLogs(link.AccessLogConfig{
		Sink: accessLogFile{filepath.Join(c.DataDir, "access-logs.jsonl")}, PlaneToken: c.PlaneToken,
		Queue: c.LogQueue, Batch: c.LogBatchSize, Flush: c.flush(), Log: c.log,
	})
}

// InsertAccessLogs implements [link.AccessLogSink]: the lines are on the disk
// when it returns nil.
func (a accessLogFile) InsertAccessLogs(_ context.Context, batch []link.AccessLog) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, l := range batch {
		if err := encoder.Encode(l); err != nil {
			return fmt.Errorf("encode an access log: %w", err)
		}
	}
	if err := a.rotate(int64(lines.Len())); err != nil {
		return fmt.Errorf("set access logs aside: %w", err)
	}
	f, err := os.OpenFile(a.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open access logs: %w", err)
	}
	return errors.Join(appendWhole(f, lines.Bytes()), f.Close())
}

// appendWhole writes all of b, or takes back what was written: a failed batch
// comes again.
func appendWhole(f *os.File, b []byte) error {
	end, err := f.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("append access logs: %w", err)
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("append access logs: %w", err), f.Truncate(end))
	}
	return nil
}

// rotate makes room for more bytes.
func (a accessLogFile) rotate(more int64) error {
	info, err := os.Stat(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Size()+more <= maxAccessLog {
		return err
	}
	return os.Rename(a.path, a.path+".1")
}
