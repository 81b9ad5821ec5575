package main

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
)

// splitEnv are the secrets that the processes of a split installation share;
// nothing but this run ever uses them.
var splitEnv = []string{
	"SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b",
	"SLUICE_JWT_SECRET=q8R7mN2pL5xK9wZ3vB6tY1cF4hJ0sD8a", "SLUICE_PLANE_TOKEN=k3J9xQ2mW7vB5nR8tY4cL6pZ", "EZ_LOG_LEVEL=error",
}

// split is an installation whose control plane and Redis do not share the
// gateway's core.
type split struct {
	binary, redis, dir string
	core               int
	env                []string
	keys               keys
	processes          []*process
}

// gatewayPeer is the gateway's own process: it counts limits in Redis and ships
// its records to control.
func gatewayPeer(binary, redis, dir string, core int) peer {
	s := &split{binary: binary, redis: redis, dir: filepath.Join(dir, "split"), core: core}
	return peer{name: "gateway", version: "this tree, gateway", prepare: s.prepare, begin: s.begin, end: s.end}
}

// prepare starts Redis and control and configures them.
func (s *split) prepare(mock string) error {
	redisAddr, err := freeAddr()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(redisAddr)
	if err != nil {
		return err
	}
	if _, err := s.start(s.core, nil, s.redis, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning"); err != nil {
		return err
	}
	if err := awaitAddr(redisAddr); err != nil {
		return err
	}
	control, err := freeAddr()
	if err != nil {
		return err
	}
	s.env = append(splitEnv, "EZ_REDIS_ADDR="+redisAddr, "SLUICE_CONTROL_URL=http://"+control)
	proc, err := s.start(s.core, append(s.env, "SLUICE_CONTROL_ADDR="+control, "SLUICE_STATUS_ADDR=127.0.0.1:0"), s.binary, "control", "--dev", "--data-dir", filepath.Join(s.dir, "control"))
	if err != nil {
		return err
	}
	s.keys, err = configure(proc, "http://"+control, mock)
	go io.Copy(io.Discard, proc.out) // ends with the process
	return err
}

// start starts a process that lives as long as the installation.
func (s *split) start(core int, env []string, name string, args ...string) (*process, error) {
	proc, err := start(core, env, name, args...)
	if err == nil {
		s.processes = append(s.processes, proc)
	}
	return proc, err
}

// begin starts a gateway.
func (s *split) begin(dir, _, addr string, core int) (*process, keys, error) {
	proc, err := start(core, append(s.env, "SLUICE_GATEWAY_ADDR="+addr, "SLUICE_STATUS_ADDR=127.0.0.1:0"), s.binary, "gateway", "--dev", "--data-dir", filepath.Join(dir, "data"))
	if err != nil {
		return nil, keys{}, fmt.Errorf("starting a gateway: %w", err)
	}
	go io.Copy(io.Discard, proc.out) // ends with the process
	return proc, s.keys, nil
}

// end stops everything, the last one first.
func (s *split) end() {
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].stop()
	}
}
