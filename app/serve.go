package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// serveOptions is what the command line of a role says.
type serveOptions struct {
	role    Role
	dev     bool
	file    string
	dataDir string
}

func newServe(p process) *cobra.Command {
	return newRoleCommand(p, RoleServe, "Run control plane, gateway and worker in one process", `Runs everything in one process: on SQLite in the data folder, or on PostgreSQL
when EZ_PG_DSN is set.

--dev needs no configuration: it listens on loopback, makes its own secrets,
seeds a demo provider, and prints a set-up link and a curl line to try.
Without --dev SLUICE_MASTER_KEY and SLUICE_JWT_SECRET must be set.`)
}

func newControl(p process) *cobra.Command {
	return newRoleCommand(p, RoleControl, "Run the control plane and the worker, for gateways of other processes", `Runs the control plane on PostgreSQL (EZ_PG_DSN) or SQLite, and publishes the
configuration to Redis (EZ_REDIS_ADDR) for gateways.

SLUICE_MASTER_KEY, SLUICE_JWT_SECRET and SLUICE_PLANE_TOKEN must be set; with
--dev they are made from a file in the data folder.`)
}

func newGateway(p process) *cobra.Command {
	return newRoleCommand(p, RoleGateway, "Run a gateway of a control plane in another process", `Runs a gateway that reads its configuration from Redis (EZ_REDIS_ADDR), sends
records and status to control (SLUICE_CONTROL_URL), and opens no database. It
keeps the last good configuration in the data folder and serves on without
Redis and control.

SLUICE_MASTER_KEY and SLUICE_PLANE_TOKEN must be those of control; with --dev
they are made from a file in the data folder, which control can share.`)
}

// newRoleCommand returns the command that runs a process of a role.
func newRoleCommand(p process, role Role, short, long string) *cobra.Command {
	opts := serveOptions{role: role}
	cmd := &cobra.Command{
		Use: string(role), Short: short, Args: cobra.NoArgs,
		Long: long + `

SIGTERM and Ctrl-C drain and end; a second one ends at once. SIGHUP reads
log.level again.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), p, opts) },
	}
	cmd.Flags().BoolVar(&opts.dev, "dev", false, "loopback, own secrets, demo provider")
	cmd.Flags().StringVar(&opts.file, "config", "", "configuration file (default: $EZ_CONFIG_FILE, ./config.yaml, ./config/config.yaml)")
	cmd.Flags().StringVar(&opts.dataDir, "data-dir", "", "data folder, over SLUICE_DATA_DIR")
	return cmd
}

// serve runs a process of a role until ctx ends, then drains it.
func serve(ctx context.Context, p process, opts serveOptions) (err error) {
	began := time.Now()
	if opts.dataDir != "" {
		p.environ = append(p.environ, "SLUICE_DATA_DIR="+opts.dataDir)
	}
	cfg, err := loadChecked(p, opts.file, opts.role, opts.dev)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	setLevel(level, cfg.LogLevel)
	log := newLogger(p.stderr, cfg.LogFormat, level)
	for _, w := range cfg.warnings {
		log.Warn(w)
	}
	collectEarly()
	if limit := limitMemory(); limit > 0 {
		log.Debug("memory limit set from the container", "bytes", limit)
	}
	progress := newProgress(p.stdout, opts.dev)

	progress.step("data folder %s", cfg.DataDir)
	unlock, err := lockFolder(cfg.DataDir, opts.role)
	if err != nil {
		return err
	}
	defer unlock()
	listeners, err := listenAll(ctx, cfg.listeners(opts.role))
	if err != nil {
		return err
	}

	n, err := newNode(ctx, nodeConfig{
		Config: cfg.Config, role: opts.role, dev: opts.dev, extra: p.extra,
		log: log, level: level, progress: progress, listeners: listeners,
	})
	if sluice.CodeOf(err) == sluice.CodeMasterKey {
		reason := sluice.AsError(err)
		return standBy(ctx, listeners, sluice.Errorf(reason.Code, "%s; set SLUICE_MASTER_KEY to that one", reason.Message), log)
	}
	if err != nil {
		closeAll(listeners)
		return err
	}
	stopReload := reloadOnHangup(p, opts, level, log)
	defer stopReload()
	if err := n.start(ctx); err != nil {
		return joinStop(err, n)
	}
	if err := n.announce(ctx, p.stdout, time.Since(began)); err != nil {
		return joinStop(err, n)
	}
	log.Info("serving", append([]any{"role", string(opts.role), "version", version()}, addresses(listeners)...)...)

	select {
	case <-ctx.Done():
		log.Info("draining; signal again to end at once", "deadline", cfg.DrainDeadline)
		return n.stop()
	case err := <-n.failed:
		return joinStop(err, n)
	}
}

// joinStop ends a node that could not go on, and keeps why.
func joinStop(err error, n *node) error {
	if stopErr := n.stop(); stopErr != nil {
		n.log.Error("stopping", "err", stopErr)
	}
	return err
}

func closeAll(listeners map[string]net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

// setLevel sets a level that [Config.Check] has accepted.
func setLevel(level *slog.LevelVar, name string) {
	if l, err := parseLevel(name); err == nil {
		level.Set(l)
	}
}

// reloadOnHangup reads log.level again at each SIGHUP, until the returned
// function is called.
func reloadOnHangup(p process, opts serveOptions, level *slog.LevelVar, log *slog.Logger) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() { // ended by stop
		for {
			select {
			case <-hangup:
				cfg, err := loadChecked(p, opts.file, opts.role, opts.dev)
				if err != nil {
					log.Error("configuration not read again", "err", err)
					continue
				}
				setLevel(level, cfg.LogLevel)
				log.Info("log level read again", "level", level.Level().String())
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangup)
		close(done)
	}
}

// progress shows people what is being started; without --dev it is silent, and
// the log tells.
type progress struct {
	w     io.Writer
	shown bool
}

func newProgress(w io.Writer, shown bool) *progress { return &progress{w: w, shown: shown} }

func (p *progress) step(format string, args ...any) {
	if p.shown {
		fmt.Fprintf(p.w, "  · "+format+"\n", args...)
	}
}
