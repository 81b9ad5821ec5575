package link_test

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// onEveryStore runs a test on SQLite, PostgreSQL and Redis.
func onEveryStore(t *testing.T, run func(t *testing.T, s link.AnswerStore)) {
	onEveryDatabase(t, func(t *testing.T, db *store.DB) { run(t, db) })
	t.Run("redis", func(t *testing.T) {
		run(t, link.NewRedisAnswers(open(t, sluicetest.Redis(t), t.Name()+":"), time.Now))
	})
}

// onEveryDatabase runs a test on SQLite and on PostgreSQL.
func onEveryDatabase(t *testing.T, run func(t *testing.T, db *store.DB)) {
	for name, cfg := range map[string]func(t *testing.T) store.Config{
		"sqlite":   func(t *testing.T) store.Config { return store.Config{Path: filepath.Join(t.TempDir(), "a.db")} },
		"postgres": func(t *testing.T) store.Config { return store.Config{DSN: sluicetest.Postgres(t).Schema(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), cfg(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			run(t, db)
		})
	}
}

// repeatable is the n-th request under a key.
func repeatable(n byte, key, body string, deadline time.Time) sluice.Repeatable {
	return sluice.Repeatable{Scope: "key/1", Key: key, Hash: sha256.Sum256([]byte(body)), Request: sluice.RequestID{n}, Deadline: deadline}
}

// TestAnswersAreGivenAgain: whatever a client repeats under a key is carried out
// once, answered again, and never mistaken for another request.
func TestAnswersAreGivenAgain(t *testing.T) {
	onEveryStore(t, func(t *testing.T, db link.AnswerStore) {
		now := time.Now()
		a := link.NewAnswers(link.AnswersConfig{Store: db, Now: func() time.Time { return now }})
		soon := now.Add(time.Minute)
		first := repeatable(1, "k", "body", soon)
		if again, err := a.Begin(t.Context(), first); again != nil || err != nil {
			t.Fatalf("%+v, %v", again, err)
		}
		if _, err := a.Begin(t.Context(), repeatable(2, "k", "body", soon)); sluice.CodeOf(err) != sluice.CodeInProgress {
			t.Errorf("while it runs: %v", err)
		}
		if _, err := a.Begin(t.Context(), repeatable(2, "k", "other", soon)); sluice.CodeOf(err) != sluice.CodeIdempotency {
			t.Errorf("another body: %v", err)
		}
		other := repeatable(3, "k", "body", soon)
		other.Scope = "key/2"
		if again, err := a.Begin(t.Context(), other); again != nil || err != nil {
			t.Errorf("another caller's: %+v, %v", again, err)
		}
		if err := a.End(t.Context(), first, &sluice.StoredAnswer{Status: 200, ContentType: "text/event-stream", Body: []byte("data: 1\n\n")}, true); err != nil {
			t.Fatal(err)
		}
		again, err := a.Begin(t.Context(), repeatable(4, "k", "body", soon))
		if err != nil || again == nil || again.Request != first.Request || again.Status != 200 || again.ContentType != "text/event-stream" || string(again.Body) != "data: 1\n\n" {
			t.Errorf("%+v, %v", again, err)
		}
		if _, err := a.Begin(t.Context(), repeatable(2, "k", "other", soon)); sluice.CodeOf(err) != sluice.CodeIdempotency {
			t.Errorf("another body afterwards: %v", err)
		}
	})
}

// TestAnswersThatAreNotKept: a request that ended without an answer to repeat is
// named, one that cost nothing may run again, and one whose process died is over
// after its deadline, never run twice.
func TestAnswersThatAreNotKept(t *testing.T) {
	onEveryStore(t, func(t *testing.T, db link.AnswerStore) {
		now := time.Now()
		a := link.NewAnswers(link.AnswersConfig{Store: db, Now: func() time.Time { return now }})
		for i, c := range []struct {
			name string
			end  func(sluice.Repeatable) error
			want sluice.Code
		}{
			{"charged", func(r sluice.Repeatable) error { return a.End(t.Context(), r, nil, true) }, sluice.CodeConflict},
			{"too large", func(r sluice.Repeatable) error {
				return a.End(t.Context(), r, &sluice.StoredAnswer{Status: 200, Body: []byte(strings.Repeat("x", sluice.MaxStoredAnswer+1))}, true)
			}, sluice.CodeConflict},
			{"cost nothing", func(r sluice.Repeatable) error { return a.End(t.Context(), r, nil, false) }, ""},
			{"died", func(sluice.Repeatable) error { now = now.Add(time.Hour); return nil }, sluice.CodeConflict},
		} {
			r := repeatable(byte(2*i+1), c.name, "body", now.Add(time.Minute))
			if _, err := a.Begin(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if err := c.end(r); err != nil {
				t.Fatal(err)
			}
			again := repeatable(byte(2*i+2), c.name, "body", now.Add(time.Minute))
			_, err := a.Begin(t.Context(), again)
			if sluice.CodeOf(err) != c.want {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.want == sluice.CodeConflict && sluice.AsError(err).Details["request_id"] != r.Request.String() {
				t.Errorf("%s does not name the request: %v", c.name, err)
			}
		}
	})
}

// TestAnswersAreBounded: one caller would fill the store, or take the place of
// another's; what is beyond must be refused or told that it ran, never run twice.
func TestAnswersAreBounded(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s link.AnswerStore) {
		a := link.NewAnswers(link.AnswersConfig{Store: s, Now: time.Now, Most: store.AnswerLimits{Keys: 3, Bytes: 10}})
		soon := time.Now().Add(time.Minute)
		requests := make([]sluice.Repeatable, 3)
		for i := range requests {
			requests[i] = repeatable(byte(i+1), string(rune('a'+i)), "body", soon)
			if _, err := a.Begin(t.Context(), requests[i]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Begin(t.Context(), repeatable(9, "z", "body", soon)); sluice.CodeOf(err) != sluice.CodeRequestRate || sluice.AsError(err).RetryAfter == 0 {
			t.Errorf("a key too many: %v", err)
		}
		if found, err := a.Find(t.Context(), repeatable(9, "z", "body", soon)); found != nil || err != nil {
			t.Errorf("a refused key is known: %+v, %v", found, err)
		}
		other := repeatable(9, "z", "body", soon)
		other.Scope = "key/2"
		if _, err := a.Begin(t.Context(), other); err != nil {
			t.Errorf("another caller's: %v", err)
		}
		for _, r := range requests[:2] {
			if err := a.End(t.Context(), r, &sluice.StoredAnswer{Status: 200, Body: []byte("sixsix")}, true); err != nil {
				t.Fatal(err)
			}
		}
		for _, ask := range []func(sluice.Repeatable) (*sluice.StoredAnswer, error){
			func(r sluice.Repeatable) (*sluice.StoredAnswer, error) { return a.Find(t.Context(), r) },
			func(r sluice.Repeatable) (*sluice.StoredAnswer, error) { return a.Begin(t.Context(), r) },
		} {
			if again, err := ask(repeatable(7, "a", "body", soon)); err != nil || again == nil || string(again.Body) != "sixsix" {
				t.Errorf("the first: %+v, %v", again, err)
			}
			if _, err := ask(repeatable(7, "b", "body", soon)); sluice.CodeOf(err) != sluice.CodeConflict || sluice.AsError(err).Details["request_id"] != requests[1].Request.String() {
				t.Errorf("one too large for what is left: %v", err)
			}
			if _, err := ask(repeatable(7, "c", "body", soon)); sluice.CodeOf(err) != sluice.CodeInProgress {
				t.Errorf("one that runs: %v", err)
			}
			if _, err := ask(repeatable(7, "c", "other", soon)); sluice.CodeOf(err) != sluice.CodeIdempotency {
				t.Errorf("another body: %v", err)
			}
		}
		if err := a.End(t.Context(), requests[2], nil, false); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Begin(t.Context(), repeatable(9, "z", "body", soon)); err != nil {
			t.Errorf("after one was given back: %v", err)
		}
	})
}

// TestGivenBackInAnotherHour: a key given back in a later hour than it was claimed
// in would be counted on once that hour is left out, and more keys be let through.
func TestGivenBackInAnotherHour(t *testing.T) {
	server := sluicetest.Redis(t)
	for name, later := range map[string]time.Duration{"the next hour": time.Hour, "when its hour counts no more": 26 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 59, 0, 0, time.UTC)
			clock := func() time.Time { return now }
			a := link.NewAnswers(link.AnswersConfig{Store: link.NewRedisAnswers(open(t, server, t.Name()+":"), clock), Now: clock, Most: store.AnswerLimits{Keys: 2, Bytes: 10}})
			claim := func(key string) error {
				_, err := a.Begin(t.Context(), repeatable(key[0], key, "body", now.Add(time.Minute)))
				return err
			}
			begun := repeatable('a', "a", "body", now.Add(time.Minute))
			for range 2 { // the second is the same claim, repeated
				if err := claim("a"); err != nil {
					t.Fatal(err)
				}
				now = now.Add(later / 2)
			}
			if later > 24*time.Hour { // the hour is swept by who claims next
				if err := claim("b"); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.End(t.Context(), begun, nil, false); err != nil {
				t.Fatal(err)
			}
			now = now.Add(30 * time.Minute)
			used := 0
			for _, key := range []string{"b", "c", "d", "e"} {
				switch err := claim(key); sluice.CodeOf(err) {
				case "":
					used++
				case sluice.CodeRequestRate:
				default:
					t.Error(err)
				}
			}
			if used != 2 {
				t.Errorf("%d keys of 2 were let through", used)
			}
			for field, n := range plain(t, server).HGetAll(t.Context(), t.Name()+":idem:of:"+hashed("key/1")).Val() {
				if strings.HasPrefix(n, "-") {
					t.Errorf("%s counts %s", field, n)
				}
			}
		})
	}
}

// hashed is how Redis' keys name a caller.
func hashed(scope string) string {
	sum := sha256.Sum256([]byte(scope))
	return hex.EncodeToString(sum[:])
}

// TestAnswersOfADeadProcess: what it ran is over when another one begins, without
// waiting for a deadline.
func TestAnswersOfADeadProcess(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, db *store.DB) {
		a := link.NewAnswers(link.AnswersConfig{Store: db, Now: time.Now})
		soon := time.Now().Add(time.Hour)
		if _, err := a.Begin(t.Context(), repeatable(1, "k", "body", soon)); err != nil {
			t.Fatal(err)
		}
		if err := db.EndAnswers(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Begin(t.Context(), repeatable(2, "k", "body", soon)); sluice.CodeOf(err) != sluice.CodeConflict {
			t.Error(err)
		}
	})
}

// TestAnswersAtOnce: a hundred equal requests at once are one.
func TestAnswersAtOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, db link.AnswerStore) {
		a := link.NewAnswers(link.AnswersConfig{Store: db, Now: time.Now})
		var wg sync.WaitGroup
		var ran atomic.Int64
		for i := range 100 {
			wg.Go(func() {
				_, err := a.Begin(t.Context(), repeatable(byte(i), "k", "body", time.Now().Add(time.Minute)))
				switch sluice.CodeOf(err) {
				case "":
					ran.Add(1)
				case sluice.CodeInProgress:
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if ran.Load() != 1 {
			t.Errorf("%d ran", ran.Load())
		}
	})
}
