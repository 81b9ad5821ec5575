package app_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/app"
)

var update = flag.Bool("update", false, "rewrite golden files with what the code produces")

const (
	goodMaster = "SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b"
	goodJWT    = "SLUICE_JWT_SECRET=q8R7mN2pL5xK9wZ3vB6tY1cF4hJ0sD8a"
)

// TestPrecedence pins environment > file > default (feature E4), setting by
// setting and source by source.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.yaml", `
server: {port: 9001}
postgres: {dsn: "postgres://file"}
redis: {addr: "file:6379", db: 3}
log: {batch_size: 20, flush_ms: 250, queue_capacity: 500, level: warn}
auth: {jwt_secret: from-the-file}
gateway: {trusted_proxies: [10.0.0.0/8, 192.0.2.1], drain_deadline: 1m}
billing: {endings: {timeout: delivered, client_gone: nothing}}
`)
	cfg, err := app.LoadFor(dir, "", "EZ_LOG_BATCH_SIZE=30", "EZ_LOG_LEVEL=", "HOME=/nowhere", "EZ_PG_DSN=postgres://env")
	if err != nil {
		t.Fatal(err)
	}
	want := app.Config{
		GatewayAddr: ":8080", ControlAddr: "127.0.0.1:8081", ControlPort: 9001, StatusAddr: "127.0.0.1:8082", DataDir: "data",
		PostgresDSN: "postgres://env", RedisAddr: "file:6379", RedisDB: 3, JWTSecret: "from-the-file",
		OnStoreError: "local", MaxStale: 24 * time.Hour, MaxKeys: 200_000,
		LogLevel: "warn", LogFormat: "auto", LogQueue: 500, LogBatchSize: 30, LogFlushMS: 250, RecordsKeep: 2160 * time.Hour, LedgerLease: 5 * time.Second, IdempotencyKeys: 10_000, IdempotencyBytes: 256 << 20, EventsKeep: 8760 * time.Hour,
		JournalQuota: 1 << 30, JournalSegment: 16 << 20, Endings: map[string]string{"client_gone": "nothing", "timeout": "delivered"},
		TrustedProxies: []string{"10.0.0.0/8", "192.0.2.1"}, PreStop: 5 * time.Second, DrainDeadline: time.Minute,
	}
	if !reflect.DeepEqual(cfg.Config, want) {
		t.Errorf("got  %+v\nwant %+v", cfg.Config, want)
	}
	for key, origin := range map[string]string{"log.batch_size": "EZ_LOG_BATCH_SIZE", "log.level": "config.yaml", "log.format": "default"} {
		if got := app.Origin(cfg, key); got != origin {
			t.Errorf("%s comes from %s, want %s", key, got, origin)
		}
	}
	if got := app.ControlAddr(cfg); got != "127.0.0.1:9001" {
		t.Errorf("control listens on %s", got)
	}
}

// TestEveryVariable sets each documented variable: one that is not read would be
// a promise of feature E4 not kept.
func TestEveryVariable(t *testing.T) {
	for _, row := range app.SettingRows() {
		value := "12"
		switch {
		case row.Key == "billing.endings":
			value = "timeout=nothing"
		case row.Default == "false":
			value = "true"
		case strings.HasSuffix(row.Default, "s") || strings.HasSuffix(row.Default, "m") || strings.HasSuffix(row.Default, "h"):
			value = "12s"
		}
		cfg, err := app.LoadFor(t.TempDir(), "", row.Env+"="+value)
		if err != nil {
			t.Errorf("%s: %v", row.Env, err)
		} else if app.Origin(cfg, row.Key) != row.Env || len(app.Warnings(cfg)) > 0 {
			t.Errorf("%s does not set %s (%v)", row.Env, row.Key, app.Warnings(cfg))
		}
	}
	names := fmt.Sprint(app.SettingRows())
	for _, promised := range []string{"EZ_API_PORT", "EZ_PG_DSN", "EZ_REDIS_ADDR", "EZ_LOG_QUEUE", "EZ_LOG_BATCH_SIZE", "EZ_LOG_LEVEL",
		"server.port", "postgres.dsn", "redis.addr", "redis.db", "log.batch_size", "log.flush_ms", "log.queue_capacity", "auth.jwt_secret"} {
		if !strings.Contains(names, promised) {
			t.Errorf("%s is not a setting", promised)
		}
	}
}

// TestWhichFile pins where the file is looked for, and that a named one must
// exist: running on defaults by mistake opens the wrong database.
func TestWhichFile(t *testing.T) {
	dir := t.TempDir()
	level := func(file string, environ ...string) string {
		cfg, err := app.LoadFor(dir, file, environ...)
		if err != nil {
			return string(sluice.CodeOf(err))
		}
		return cfg.LogLevel
	}
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	expect("no file", level(""), "info")
	expect("a named file that is missing", level("other.yaml"), "CONFIG_001")
	expect("EZ_CONFIG_FILE that is missing", level("", "EZ_CONFIG_FILE=other.yaml"), "CONFIG_001")
	write(t, dir, "config/config.yaml", "log: {level: debug}")
	expect("./config/config.yaml", level(""), "debug")
	write(t, dir, "config.yaml", "log: {level: warn}")
	expect("./config.yaml comes first", level(""), "warn")
	write(t, dir, "other.yaml", "log: {level: error}")
	expect("EZ_CONFIG_FILE", level("", "EZ_CONFIG_FILE="+filepath.Join(dir, "other.yaml")), "error")
	write(t, dir, "flag.yaml", "log: {level: info}")
	expect("the flag beats EZ_CONFIG_FILE", level("flag.yaml", "EZ_CONFIG_FILE=other.yaml"), "info")
}

// TestFileErrors names what is wrong in a file, with the nearest right key: a
// mistyped limit must not leave the default in force unnoticed.
func TestFileErrors(t *testing.T) {
	for text, want := range map[string][]string{
		"log: {batchsize: 3}":              {`unknown key "log.batchsize"`, "did you mean log.batch_size?"},
		"logs: {level: info}":              {`unknown key "logs.level"`, "did you mean log.level?"},
		"log: debug":                       {`unknown key "log"`},
		"zebra: 1":                         {`unknown key "zebra"`},
		"log: {batch_size: many}":          {"log.batch_size (from config.yaml)", `"many" is not a whole number`},
		"log: {batch_size: 1.5}":           {`"1.5" is not a whole number`},
		"gateway: {pre_stop: soon}":        {`"soon" is not a duration`},
		"log: [":                           {"not valid YAML"},
		"log: {level: a}\nlog: {level: b}": {"not valid YAML"},
		"a: 1\nb: 2":                       {`unknown key "a"`, `unknown key "b"`},
	} {
		dir := t.TempDir()
		write(t, dir, "config.yaml", text)
		_, err := app.LoadFor(dir, "")
		if err == nil || sluice.CodeOf(err) != sluice.CodeConfig {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q does not say %q", text, err, part)
			}
		}
	}
}

// TestUnknownVariables warns of variables that nothing reads, and only of ours.
func TestUnknownVariables(t *testing.T) {
	cfg, err := app.LoadFor(t.TempDir(), "", "EZ_LOG_BATCHSIZE=3", "SLUICE_QQQQQQ=1", "PATH=/bin", "EZRA=1", "SLUICE_TOKEN=x", "EZ_EMPTY=")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(app.Warnings(cfg), "\n")
	want := "unknown variable EZ_LOG_BATCHSIZE; did you mean EZ_LOG_BATCH_SIZE?\nunknown variable SLUICE_QQQQQQ"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSecretsAreRequired keeps an installation from running on a missing or
// well-known secret (feature E4): anyone could sign tokens for it.
func TestSecretsAreRequired(t *testing.T) {
	for _, c := range []struct {
		environ []string
		dev     bool
		want    string // "" is valid
	}{
		{[]string{goodMaster, goodJWT}, false, ""},
		{nil, true, ""},
		{[]string{goodJWT}, false, "SLUICE_MASTER_KEY (secrets.master_key) is not set"},
		{[]string{goodMaster}, false, "SLUICE_JWT_SECRET (auth.jwt_secret) is not set"},
		{[]string{goodMaster, "SLUICE_JWT_SECRET=changeme"}, false, "well-known default"},
		{[]string{goodMaster, "SLUICE_JWT_SECRET=your-secret-key-here-Change-it-now!!"}, false, "placeholder"},
		{[]string{goodMaster, "SLUICE_JWT_SECRET=secret"}, true, "well-known default"},
		{[]string{goodMaster, "SLUICE_JWT_SECRET=short"}, false, "32 random bytes"},
		{[]string{goodMaster, "SLUICE_JWT_SECRET=" + strings.Repeat("a", 64)}, false, "32 random bytes"},
		{[]string{"SLUICE_MASTER_KEY=tooshort", goodJWT}, false, "SLUICE_MASTER_KEY (secrets.master_key)"},
		{[]string{"SLUICE_MASTER_KEY=" + strings.Repeat("00", 32), goodJWT}, false, "SLUICE_MASTER_KEY (secrets.master_key)"},
	} {
		cfg, err := app.LoadFor(t.TempDir(), "", c.environ...)
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(cfg.Check(app.RoleServe, c.dev)...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v dev=%v: got %v, want %q", c.environ, c.dev, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "tooshort") || strings.Contains(err.Error(), "0000000")) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

// TestCheckNamesTheSetting makes every refusal name what to change.
func TestCheckNamesTheSetting(t *testing.T) {
	for variable, want := range map[string]string{
		"SLUICE_GATEWAY_ADDR=8080":           "SLUICE_GATEWAY_ADDR",
		"SLUICE_CONTROL_ADDR=localhost:http": "SLUICE_CONTROL_ADDR",
		"EZ_API_PORT=70000":                  "EZ_API_PORT",
		"EZ_API_PORT=8080":                   "EZ_API_PORT and SLUICE_GATEWAY_ADDR",
		"EZ_API_PORT=8082":                   "SLUICE_STATUS_ADDR and EZ_API_PORT",
		"SLUICE_CONTROL_ADDR=0.0.0.0:8080":   "SLUICE_CONTROL_ADDR and SLUICE_GATEWAY_ADDR",
		"EZ_REDIS_ADDR=localhost":            "EZ_REDIS_ADDR",
		"SLUICE_REDIS_DB=-1":                 "SLUICE_REDIS_DB",
		"SLUICE_ON_STORE_ERROR=maybe":        "SLUICE_ON_STORE_ERROR",
		"SLUICE_MAX_STALE=0s":                "SLUICE_MAX_STALE",
		"SLUICE_PLANE_TOKEN=changeme":        "SLUICE_PLANE_TOKEN",
		"SLUICE_CONTROL_URL=control:8081":    "SLUICE_CONTROL_URL",
		"SLUICE_PUBLIC_URL=sluice.example":   "SLUICE_PUBLIC_URL",
		"EZ_LOG_LEVEL=loud":                  "EZ_LOG_LEVEL",
		"SLUICE_LOG_FORMAT=xml":              "SLUICE_LOG_FORMAT",
		"EZ_LOG_QUEUE=0":                     "EZ_LOG_QUEUE",
		"EZ_LOG_BATCH_SIZE=10001":            "EZ_LOG_BATCH_SIZE",
		"SLUICE_LOG_FLUSH_MS=0":              "SLUICE_LOG_FLUSH_MS",
		"SLUICE_TRUSTED_PROXIES=10.0.0.0/33": "SLUICE_TRUSTED_PROXIES",
		"SLUICE_PRE_STOP=-1s":                "SLUICE_PRE_STOP",

		"SLUICE_JOURNAL_QUOTA_BYTES=1000":              "SLUICE_JOURNAL_QUOTA_BYTES",
		"SLUICE_JOURNAL_QUOTA_BYTES=16777216":          "SLUICE_JOURNAL_SEGMENT_BYTES",
		"SLUICE_JOURNAL_SEGMENT_BYTES=1":               "SLUICE_JOURNAL_SEGMENT_BYTES",
		"SLUICE_TOP_UP_URL=pay.example":                "SLUICE_TOP_UP_URL",
		"SLUICE_BILLING_ENDINGS=hangup=nothing":        "SLUICE_BILLING_ENDINGS (billing.endings): there is no ending \"hangup\"",
		"SLUICE_BILLING_ENDINGS=complete=nothing":      "complete cannot be charged for \"nothing\"; choose one of: usage",
		"SLUICE_BILLING_ENDINGS=timeout=usage":         "choose one of: delivered, nothing",
		"SLUICE_BILLING_ENDINGS=error=nothing,crash=x": "choose one of: progress, nothing",
	} {
		cfg, err := app.LoadFor(t.TempDir(), "", variable, goodMaster, goodJWT)
		if err != nil {
			t.Errorf("%s: %v", variable, err)
			continue
		}
		problems := cfg.Check(app.RoleServe, false)
		if text := fmt.Sprint(problems); len(problems) == 0 || !strings.Contains(text, want) {
			t.Errorf("%s: got %s", variable, text)
		}
	}
}

// TestRolesNeedTheirSettings pins what each process refuses to start without: a
// gateway without a plane token would lose its records, and one that asked for
// the secret that signs tokens would spread it.
func TestRolesNeedTheirSettings(t *testing.T) {
	const plane, redis, url = "SLUICE_PLANE_TOKEN=k3J9xQ2mW7vB5nR8tY4cL6pZ", "EZ_REDIS_ADDR=localhost:6379", "SLUICE_CONTROL_URL=http://control:8081"
	for _, c := range []struct {
		role    app.Role
		dev     bool
		environ []string
		want    string // "" is valid
	}{
		{app.RoleControl, false, []string{goodMaster, goodJWT, plane, redis}, ""},
		{app.RoleControl, false, []string{goodMaster, goodJWT, redis}, "SLUICE_PLANE_TOKEN is not set"},
		{app.RoleControl, false, []string{goodMaster, goodJWT, redis, "SLUICE_PLANE_TOKEN=change-me-change-me-change-me"}, "SLUICE_PLANE_TOKEN is a default"},
		{app.RoleControl, false, []string{goodMaster, goodJWT, plane}, "EZ_REDIS_ADDR (redis.addr) is not set"},
		{app.RoleControl, true, []string{redis}, ""},
		{app.RoleGateway, false, []string{goodMaster, plane, redis, url}, ""},
		{app.RoleGateway, false, []string{goodMaster, plane, redis}, "SLUICE_CONTROL_URL (plane.control_url) is not set"},
		{app.RoleGateway, false, []string{goodMaster, redis, url}, "SLUICE_PLANE_TOKEN is not set"},
		{app.RoleGateway, false, []string{plane, redis, url}, "SLUICE_MASTER_KEY (secrets.master_key) is not set"},
		{app.RoleGateway, true, []string{redis, url}, ""},
		{app.RoleServe, false, []string{goodMaster, goodJWT, "EZ_PG_DSN=host=db"}, ""},
	} {
		cfg, err := app.LoadFor(t.TempDir(), "", c.environ...)
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(cfg.Check(c.role, c.dev)...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %v dev=%v: got %v, want %q", c.role, c.environ, c.dev, err, c.want)
		}
	}
}

// TestAPIPortWins keeps the predecessors' variable working beside ours, and says
// which one lost.
func TestAPIPortWins(t *testing.T) {
	cfg, err := app.LoadFor(t.TempDir(), "", "EZ_API_PORT=9090", "SLUICE_CONTROL_ADDR=0.0.0.0:7070", goodMaster, goodJWT)
	if err != nil {
		t.Fatal(err)
	}
	if got := app.ControlAddr(cfg); got != "0.0.0.0:9090" {
		t.Errorf("control listens on %s", got)
	}
	if got := fmt.Sprint(app.Warnings(cfg)); !strings.Contains(got, "EZ_API_PORT replaces the port of SLUICE_CONTROL_ADDR") {
		t.Errorf("warnings: %s", got)
	}
	if problems := cfg.Check(app.RoleServe, false); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
}

// TestDevStaysOnLoopback keeps a laptop's demo off the network, unless its owner
// says otherwise.
func TestDevStaysOnLoopback(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    string
	}{{nil, "127.0.0.1:8080"}, {[]string{"SLUICE_GATEWAY_ADDR=:9000"}, ":9000"}} {
		cfg, err := app.LoadFor(t.TempDir(), "", c.environ...)
		if err != nil {
			t.Fatal(err)
		}
		app.UseDev(cfg)
		if cfg.GatewayAddr != c.want || cfg.PreStop != 0 {
			t.Errorf("%v: listens on %s, waits %s", c.environ, cfg.GatewayAddr, cfg.PreStop)
		}
	}
}

// TestConfigLint runs the command as an operator does; its exit status stops a
// deployment.
func TestConfigLint(t *testing.T) {
	dir := t.TempDir()
	good, bad := write(t, dir, "good.yaml", "log: {level: debug}"), write(t, dir, "bad.yaml", "log: {levle: debug}")
	for _, c := range []struct {
		args    []string
		environ []string
		status  int
		out     string
	}{
		{[]string{"--config", good}, []string{goodMaster, goodJWT}, 0, "the configuration is valid"},
		{[]string{"--config", good, "--dev"}, nil, 0, "the configuration is valid"},
		{[]string{"--config", bad}, []string{goodMaster, goodJWT}, 2, "did you mean log.level?"},
		{[]string{"--config", good}, nil, 1, "SLUICE_MASTER_KEY"},
		{[]string{"--config", good, "--dev"}, []string{"SLUICE_XYZZY=1"}, 0, "warning: unknown variable SLUICE_XYZZY"},
	} {
		var out bytes.Buffer
		status := app.Run(t.Context(), &out, &out, c.environ, append([]string{"config", "lint"}, c.args...))
		if status != c.status || !strings.Contains(out.String(), c.out) {
			t.Errorf("%v: status %d, want %d\n%s", c.args, status, c.status, out.String())
		}
	}
}

// TestConfigShowHidesSecrets lets operators paste the output into a ticket.
func TestConfigShowHidesSecrets(t *testing.T) {
	var out bytes.Buffer
	status := app.Run(t.Context(), &out, &out, []string{goodMaster, "EZ_PG_DSN=postgres://u:hunter2@db/x", "EZ_LOG_LEVEL=warn"}, []string{"config", "show"})
	if status != 0 || strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), goodMaster[20:]) {
		t.Errorf("status %d:\n%s", status, out.String())
	}
	for _, row := range []string{"log.level", "EZ_LOG_LEVEL", "warn"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("%s is missing:\n%s", row, out.String())
		}
	}
}

// TestConfigurationDoc generates docs/CONFIGURATION.md from the Config struct
// (run with -update), so that every setting is documented where it is declared.
func TestConfigurationDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Configuration\n\nGenerated from `app.Config` by `make golden`; do not edit.\n\n")
	b.WriteString("A value comes from the environment, else from the file, else from the default. The file is the one that `--config` or\n")
	b.WriteString("`EZ_CONFIG_FILE` names, else `./config.yaml`, else `./config/config.yaml`. Keys such as `log.level` are `level:` below `log:`\n")
	b.WriteString("in the file. Unknown keys in the file are errors; unknown `EZ_*` and `SLUICE_*` variables are warnings.\n")
	b.WriteString("`sluice config lint` checks without starting; `sluice config show` tells where each value comes from.\n\n")
	b.WriteString("| Key | Variable | Default | Meaning |\n|---|---|---|---|\n")
	comments := fieldComments(t)
	for _, row := range app.SettingRows() {
		if comments[row.Key] == "" {
			t.Errorf("%s has no comment in config.go", row.Key)
		}
		def := row.Default
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", row.Key, row.Env, def, comments[row.Key])
	}
	path := "../docs/CONFIGURATION.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != b.String() {
		t.Errorf("%s is not what config.go says (%v); make golden rewrites it", path, err)
	}
}

// fieldComments maps keys to the comments above their fields.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && f.Tag != nil {
			key := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("key")
			out[key] = strings.Join(strings.Fields(f.Doc.Text()), " ")
		}
		return true
	})
	return out
}

// TestSameAddress decides which addresses cannot be had together.
func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{":8080", "127.0.0.1:8080", true},
		{"0.0.0.0:8080", "10.0.0.1:8080", true},
		{"[::]:8080", "127.0.0.1:8080", true},
		{"localhost:8080", "127.0.0.1:8080", true},
		{"127.0.0.1:8080", "127.0.0.2:8080", false},
		{":8080", ":8081", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"nonsense", ":8080", false},
	} {
		if got := app.SameAddress(c.a, c.b); got != c.want || app.SameAddress(c.b, c.a) != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

// TestEditDistance keeps the hints near what was typed.
func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"level", "levle", 2}, {"same", "same", 0}} {
		if got := app.EditDistance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestCgroupLimit reads both forms in which a container has no limit as none.
func TestCgroupLimit(t *testing.T) {
	for text, want := range map[string]int64{"max\n": 0, "536870912\n": 536870912, "9223372036854771712\n": 0, "": 0, "-1": 0} {
		if got := app.CgroupLimit(write(t, t.TempDir(), "memory.max", text)); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
	if got := app.CgroupLimit(filepath.Join(t.TempDir(), "missing")); got != 0 {
		t.Errorf("no file: %d", got)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
