package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof" // served on -pprof only
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// forwardMain is the wire alone as a gateway: it forwards everything to one
// target and does nothing else, so that the cost of the wire can be told from
// that of the pipeline.
func forwardMain(args []string) error {
	set := flag.NewFlagSet("forward", flag.ExitOnError)
	target := set.String("target", "", "host:port to forward to")
	listen := set.String("listen", "127.0.0.1:0", "address to listen on")
	profile := set.String("pprof", "", "address to serve profiles on")
	if err := set.Parse(args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *profile != "" {
		go http.ListenAndServe(*profile, nil) // until the process ends
	}
	fmt.Println(ln.Addr())
	f := forward{target: *target, pool: wire.NewPool(wire.PoolConfig{Dial: (&net.Dialer{}).DialContext, MaxIdlePerHost: 2000})}
	return wire.NewServer(wire.Config{Handler: f.serve}).Serve(ln)
}

type forward struct {
	target string
	pool   *wire.Pool
}

func (f forward) serve(x sluice.Inbound) {
	h := x.Head()
	call := &sluice.Call{
		Scheme: "http", Addr: f.target, Method: h.Method, Target: h.Path, Host: h.Host, Fields: h.Fields,
		Connect: 3 * time.Second, FirstByte: time.Minute, Idle: time.Minute, Replayable: true,
	}
	body, err := x.Body(10 << 20)
	if err != nil {
		x.Abort()
		return
	}
	call.Body = [][]byte{body}
	x.OnGone(call.Stopper().Stop)
	s, err := f.pool.Do(call)
	if err != nil {
		fail(x, err)
		return
	}
	defer s.Close()
	if x.Begin(s.Head()) != nil {
		x.Abort()
		return
	}
	for {
		b, err := s.Next()
		if err == io.EOF {
			x.End(s.Trailers())
			return
		}
		if err != nil || x.Write(b) != nil {
			x.Abort()
			return
		}
	}
}

func fail(x sluice.Inbound, err error) {
	text := []byte(sluice.CodeOf(err))
	h := sluice.RespHead{Status: sluice.CodeInfo(sluice.CodeOf(err)).Status, ContentLength: int64(len(text))}
	if x.Begin(&h) == nil && x.Write(text) == nil {
		x.End(nil)
	}
}
