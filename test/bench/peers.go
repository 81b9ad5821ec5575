package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// peer is a gateway to be measured.
type peer struct {
	name string
	// version is what the report names.
	version string
	// prepare, when set, is called once with the mock's address before the first
	// begin.
	prepare func(mock string) error
	// begin starts it in front of the mock, listening on addr, and returns the
	// keys that it wants, if any.
	begin func(dir, mock, addr string, core int) (*process, keys, error)
	// end, when set, stops what prepare started.
	end func()
}

// nginxPeer is the yardstick: nginx as a plain proxy with kept-alive upstreams.
func nginxPeer() (peer, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return peer{}, errors.New("nginx is the yardstick and is not installed: apt-get install nginx-light (Debian, Ubuntu), dnf install nginx, apk add nginx")
	}
	version, _ := exec.Command(path, "-v").CombinedOutput()
	return peer{name: "nginx", version: string(version), begin: func(dir, mock, addr string, core int) (*process, keys, error) {
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfig, dir, dir, dir, dir, dir, dir, dir, mock, addr), 0o600); err != nil {
			return nil, keys{}, err
		}
		proc, err := start(core, nil, path, "-c", file, "-p", dir, "-e", filepath.Join(dir, "error.log"))
		return proc, keys{}, err
	}}, nil
}

// nginxConfig gives nginx what it needs to be fast and to pass events at once.
const nginxConfig = `
daemon off; master_process off; worker_rlimit_nofile 65536;
pid %s/nginx.pid; error_log %s/error.log error;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;
  uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;
  client_body_buffer_size 512k; client_max_body_size 32m;
  keepalive_timeout 75s; keepalive_requests 10000000;
  upstream mock { server %s; keepalive 2000; keepalive_requests 10000000; }
  server {
    listen %s backlog=4096;
    location / {
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`

// otherPeers are the gateways that are measured when the machine has them.
func otherPeers() []peer {
	var list []peer
	if path, err := exec.LookPath("haproxy"); err == nil {
		list = append(list, filePeer("haproxy", path, "-v", "haproxy.cfg", haproxyConfig, "-db", "-f"))
	}
	if path, err := exec.LookPath("caddy"); err == nil {
		list = append(list, filePeer("caddy", path, "version", "caddy.json", caddyConfig, "run", "--config"))
	}
	return list
}

// filePeer is a gateway that reads one file, in which {listen} and {mock} stand
// for the two addresses, and takes its name as the last argument.
func filePeer(name, path, versionArg, file, config string, args ...string) peer {
	out, _ := exec.Command(path, versionArg).Output()
	version, _, _ := strings.Cut(string(out), "\n")
	return peer{name: name, version: version, begin: func(dir, mock, addr string, core int) (*process, keys, error) {
		file := filepath.Join(dir, file)
		text := strings.NewReplacer("{listen}", addr, "{mock}", mock).Replace(config)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, keys{}, err
		}
		proc, err := start(core, []string{"HOME=" + dir}, path, append(args, file)...)
		return proc, keys{}, err
	}}
}

// haproxyConfig lets events pass at once, which HAProxy otherwise gathers.
const haproxyConfig = `
global
  maxconn 4000
  nbthread 1
defaults
  mode http
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 75s
  timeout server 75s
frontend front
  bind {listen}
  default_backend back
backend back
  server mock {mock}
`

// caddyConfig lets events pass at once and keeps as many connections as nginx.
const caddyConfig = `{
  "admin": {"disabled": true},
  "logging": {"logs": {"default": {"level": "ERROR"}}},
  "apps": {"http": {"servers": {"bench": {
    "listen": ["{listen}"], "automatic_https": {"disable": true},
    "routes": [{"handle": [{
      "handler": "reverse_proxy", "flush_interval": -1, "upstreams": [{"dial": "{mock}"}],
      "transport": {"protocol": "http", "keep_alive": {"max_idle_conns_per_host": 2000}}
    }]}]
  }}}}
}
`

// wirePeer is internal/wire alone, forwarding.
func wirePeer(self string) peer {
	return peer{name: "wire", version: "this tree", begin: func(_, mock, addr string, core int) (*process, keys, error) {
		proc, err := start(core, nil, self, "forward", "-target", mock, "-listen", addr)
		return proc, keys{}, err
	}}
}

// directPeer is no gateway at all: what mock and load cost by themselves.
func directPeer() peer { return peer{name: "direct"} }

// freeAddr finds a port that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// awaitAddr waits until somebody accepts on addr.
func awaitAddr(addr string) error {
	for range 400 {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return fmt.Errorf("nobody answers on %s", addr)
}
