package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// peer is a gateway to be measured.
type peer struct {
	name string
	// version is what the report names.
	version string
	// begin starts it in front of the mock, listening on addr, and returns the
	// key that it wants, if any.
	begin func(dir, mock, addr string, core int) (*process, string, error)
}

// nginxPeer is the yardstick: nginx as a plain proxy with kept-alive upstreams.
func nginxPeer() (peer, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return peer{}, fmt.Errorf("nginx is the yardstick of this bench: apt-get install nginx-light")
	}
	version, _ := exec.Command(path, "-v").CombinedOutput()
	return peer{name: "nginx", version: string(version), begin: func(dir, mock, addr string, core int) (*process, string, error) {
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfig, dir, dir, dir, dir, dir, dir, dir, mock, addr), 0o600); err != nil {
			return nil, "", err
		}
		proc, err := start(core, nil, path, "-c", file, "-p", dir, "-e", filepath.Join(dir, "error.log"))
		return proc, "", err
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

// wirePeer is internal/wire alone, forwarding.
func wirePeer(self string) peer {
	return peer{name: "wire", version: "this tree", begin: func(_, mock, addr string, core int) (*process, string, error) {
		proc, err := start(core, nil, self, "forward", "-target", mock, "-listen", addr)
		return proc, "", err
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
