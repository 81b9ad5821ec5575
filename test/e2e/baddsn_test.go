package e2e_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// TestControlSaysWhatIsWrongWithItsDatabase starts control on databases that it
// cannot use. Losing this means that an operator at night reads a stack of
// driver errors, or the password, instead of what to do.
func TestControlSaysWhatIsWrongWithItsDatabase(t *testing.T) {
	postgres := sluicetest.Postgres(t)
	postgres.Exec(t, "CREATE ROLE guarded NOLOGIN; CREATE ROLE bob LOGIN PASSWORD 'right-secret' IN ROLE guarded")
	redis := sluicetest.Redis(t)
	newer := postgres.Schema(t)
	if out, status := process.Run(t, process.Options{Env: secretsAnd("EZ_PG_DSN=" + newer)}, "migrate"); status != 0 {
		t.Fatal(out)
	}
	schema := newer[strings.LastIndex(newer, "=")+1:]
	postgres.Exec(t, "INSERT INTO "+schema+".goose_db_version (version_id, is_applied) VALUES (9999, true)")

	for name, c := range map[string]struct {
		dsn  string
		code sluice.Code
		says string
	}{
		"malformed":      {"postgres://bob:wrong-secret@127.0.0.1:notaport/sluice", sluice.CodeConfig, "postgres://user@host:5432/database or host=... user=..."},
		"nobody listens": {"postgres://bob:wrong-secret@127.0.0.1:1/sluice", sluice.CodeDatabase, "nobody answers at this address"},
		"no database":    {strings.Replace(postgres.DSN("postgres"), "dbname=postgres", "dbname=nowhere", 1), sluice.CodeDatabase, "create the database"},
		"wrong password": {strings.Replace(postgres.DSN("postgres"), "user=sluice", "user=bob password=wrong-secret", 1), sluice.CodeDatabase, "user name or password are wrong"},
		"no schema":      {postgres.DSN("postgres") + " search_path=nowhere", sluice.CodeDatabase, "search_path"},
		"newer schema":   {newer, sluice.CodeSchemaNewer, "9999"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, status := process.Run(t, process.Options{Env: secretsAnd("EZ_REDIS_ADDR="+redis.Addr, "EZ_PG_DSN="+c.dsn)}, "control")
			if status == 0 || !strings.Contains(out, string(c.code)) || !strings.Contains(out, c.says) {
				t.Errorf("control ended with %d, without %s or %q:\n%s", status, c.code, c.says, out)
			}
			if strings.Contains(out, "wrong-secret") {
				t.Errorf("the password is shown:\n%s", out)
			}
		})
	}
}
