package money_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look at a database as a stranger does
)

// A kill in the middle of a commit or a checkpoint would damage the database, or
// have it forget up to where a journal is applied (E-23).
func TestKilledDuringCheckpoints(t *testing.T) {
	kills := rounds(t, 10)
	s := play(t, setting{})
	s.rich()
	last := map[string]int64{}
	for range kills {
		stop := s.callers.load(t.Context(), 8, func() order { return s.order(plan{Chunks: 1}) })
		time.Sleep(time.Duration(30+rand.IntN(150)) * time.Millisecond)
		s.kill()
		stop()
		for id, position := range s.integrity() {
			if position < last[id] {
				t.Errorf("journal %s was applied up to %d and is now up to %d", id, last[id], position)
			}
			last[id] = position
		}
		s.start()
	}
	_, f := s.close()
	t.Logf("%d kills, integrity_check ok after each", kills)
	if f.answered < kills {
		t.Errorf("hardly any load: %+v", f)
	}
}

// integrity checks a copy of the database of a dead process, whose log is left
// for the next one to recover, and returns the positions in it.
func (s *scene) integrity() map[string]int64 {
	s.Helper()
	dir := s.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.store.Path + suffix)
		if err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "copy.db"+suffix), b, 0o600); err != nil {
			s.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "copy.db"))
	if err != nil {
		s.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		s.Errorf("integrity_check: %s %v", verdict, err)
	}
	positions := map[string]int64{}
	rows, err := db.Query("SELECT id, position FROM journals")
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var position int64
		if err := rows.Scan(&id, &position); err != nil {
			s.Fatal(err)
		}
		positions[id] = position
	}
	if err := rows.Err(); err != nil {
		s.Fatal(fmt.Errorf("reading positions: %w", err))
	}
	return positions
}
