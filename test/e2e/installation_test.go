package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

const planeToken = "k3J9xQ2mW7vB5nR8tY4cL6pZ"

// splitSecrets are what a production installation of several processes shares.
var splitSecrets = []string{
	"SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b",
	"SLUICE_JWT_SECRET=q8R7mN2pL5xK9wZ3vB6tY1cF4hJ0sD8a", "SLUICE_PRE_STOP=0s", "SLUICE_LOG_FLUSH_MS=100",
	"SLUICE_PLANE_TOKEN=" + planeToken,
}

// secretsAnd is an environment of the shared secrets and more.
func secretsAnd(more ...string) []string {
	return append(splitSecrets[:len(splitSecrets):len(splitSecrets)], more...)
}

// installation is a control plane on PostgreSQL and the Redis beside it, and the
// gateways of some tests.
type installation struct {
	postgres *sluicetest.PostgresServer
	redis    *sluicetest.RedisServer
	control  *process.Process
	admin    *client.Client
	gateways []*process.Process
	cables   *cables // nil where everything is connected directly
	dsn      string  // of the database itself, beside all cables
	env      []string
}

// cables are what a test can cut: one from each process to each that it uses.
// People have one of their own to control, whose port changes with each start.
type cables struct {
	people, controlPostgres, controlRedis *sluicetest.Cable
	gatewayRedis, gatewayControl          [2]*sluicetest.Cable
}

// long leaves a test of several processes to `make test`: `make check` is quick.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("several processes take too long for short tests")
	}
}

// install starts servers of its own and control, and adds a provider that
// answers.
func install(t *testing.T) *installation {
	t.Helper()
	long(t)
	postgres := sluicetest.PrivatePostgres(t)
	in := installOn(t, postgres.DSN("postgres"))
	in.postgres = postgres
	return in
}

// installOn does so on an empty database, for tests that leave the server alone.
func installOn(t *testing.T, dsn string) *installation {
	t.Helper()
	long(t)
	in := &installation{redis: sluicetest.Redis(t), dsn: dsn}
	in.env = secretsAnd("EZ_REDIS_ADDR="+in.redis.Addr, "EZ_PG_DSN="+in.dsn)
	in.control = process.Start(t, process.Options{Command: "control", Production: true, Env: in.env})
	in.admin = in.control.Admin(t)
	in.seed(t)
	return in
}

// installCabled starts an installation of control and two gateways in which
// every connection can be cut.
func installCabled(t *testing.T) *installation {
	t.Helper()
	long(t)
	in := &installation{postgres: sluicetest.PrivatePostgres(t), redis: sluicetest.Redis(t)}
	c := &cables{
		people:          sluicetest.NewCable(t, ""),
		controlPostgres: sluicetest.NewCable(t, "127.0.0.1:"+strconv.Itoa(in.postgres.Port())),
		controlRedis:    sluicetest.NewCable(t, in.redis.Addr),
	}
	in.cables, in.dsn = c, in.postgres.DSN("postgres")
	_, port, _ := net.SplitHostPort(c.controlPostgres.Addr())
	in.env = secretsAnd("EZ_REDIS_ADDR="+c.controlRedis.Addr(), "EZ_PG_DSN=host=127.0.0.1 port="+port+" user=sluice dbname=postgres sslmode=disable")
	for i := range c.gatewayRedis {
		c.gatewayRedis[i], c.gatewayControl[i] = sluicetest.NewCable(t, in.redis.Addr), sluicetest.NewCable(t, "")
	}
	in.startControl(t)
	in.control.SetUp(t)
	in.admin = in.signIn(t)
	in.seed(t)
	for i := range c.gatewayRedis {
		in.gateways = append(in.gateways, nil)
		in.startGateway(t, i)
	}
	in.awaitReady(t, in.gateways...)
	return in
}

// startControl starts control, again after it was killed, and leads its cables
// there.
func (in *installation) startControl(t *testing.T) {
	t.Helper()
	opts := process.Options{Command: "control", Production: true, Env: in.env}
	if in.control != nil {
		opts.Dir = in.control.Dir
	}
	in.control = process.Start(t, opts)
	for _, c := range append(in.cables.gatewayControl[:], in.cables.people) {
		c.To(strings.TrimPrefix(in.control.Control, "http://"))
	}
}

// startGateway starts a gateway on its cables, again after it was killed.
func (in *installation) startGateway(t *testing.T, i int) {
	t.Helper()
	opts := process.Options{Command: "gateway", Production: true, Env: secretsAnd("EZ_REDIS_ADDR="+in.cables.gatewayRedis[i].Addr(),
		"SLUICE_CONTROL_URL=http://"+in.cables.gatewayControl[i].Addr(), fmt.Sprintf("SLUICE_GATEWAY_NAME=gw-%d", i+1))}
	if in.gateways[i] != nil {
		opts.Dir = in.gateways[i].Dir
	}
	in.gateways[i] = process.Start(t, opts)
}

// signIn returns a client that finds control also after a restart, and that
// tells what was answered instead of trying for long.
func (in *installation) signIn(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{
		BaseURL: "http://" + in.cables.people.Addr(), Email: process.AdminEmail, Password: process.AdminPassword, MaxRetryWait: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seed adds a provider that answers.
func (in *installation) seed(t *testing.T) {
	t.Helper()
	provider := sluice.Provider{Meta: sluice.Meta{Name: "demo"}, Type: "demo", Models: []string{"demo-chat"}}
	if _, err := in.admin.Providers().Create(t.Context(), provider, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.admin.Models().Create(t.Context(), sluice.Model{Meta: sluice.Meta{Name: "demo-chat"}}, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// gatewayOptions are of a gateway that may open no database: what listens at the
// DSN's address tells when it does.
func (in *installation) gatewayOptions(name, dsn string) process.Options {
	return process.Options{Command: "gateway", Production: true, Env: secretsAnd("EZ_REDIS_ADDR="+in.redis.Addr,
		"SLUICE_CONTROL_URL="+in.control.Control, "SLUICE_GATEWAY_NAME="+name, "EZ_PG_DSN="+dsn)}
}

// awaitReady waits until gateways serve what is published.
func (in *installation) awaitReady(t *testing.T, gateways ...*process.Process) {
	t.Helper()
	for _, g := range gateways {
		within(t, 10*time.Second, "ready", func() bool { return do(t, "GET", g.Status+"/ready", "", "").status == http.StatusOK })
	}
}

// newKey makes a key in control whose limits are counted and never reached.
func (in *installation) newKey(t *testing.T, name string) sluice.Key {
	t.Helper()
	key, err := in.createKey(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (in *installation) createKey(ctx context.Context, name string) (sluice.Key, error) {
	key := sluice.Key{Meta: sluice.Meta{Name: name}, RPM: new(int64(1_000_000)), TPM: new(int64(1_000_000_000))}
	return in.admin.Keys().Create(ctx, key, sluice.WriteOptions{})
}

// within polls until it holds and returns how long that took.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// serves reports whether the key gets an answer from every gateway.
func serves(t *testing.T, key string, gateways ...*process.Process) bool {
	t.Helper()
	for _, g := range gateways {
		if do(t, "POST", g.Gateway+"/v1/chat/completions", key, shortBody).status != http.StatusOK {
			return false
		}
	}
	return true
}

// refused reports whether every gateway calls the key invalid.
func refused(t *testing.T, key string, gateways ...*process.Process) bool {
	t.Helper()
	for _, g := range gateways {
		if do(t, "POST", g.Gateway+"/v1/chat/completions", key, shortBody).status != http.StatusUnauthorized {
			return false
		}
	}
	return true
}
