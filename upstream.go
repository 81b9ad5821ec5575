package sluice

import "fmt"

// Timeouts bound the phases of one upstream call, in milliseconds; 0 takes the
// gateway's default, which its configuration states.
type Timeouts struct {
	ConnectMS   int64 `json:"connect_ms,omitempty" minimum:"0" maximum:"600000"`
	FirstByteMS int64 `json:"first_byte_ms,omitempty" minimum:"0" maximum:"3600000"`
	IdleMS      int64 `json:"idle_ms,omitempty" minimum:"0" maximum:"3600000"`
	TotalMS     int64 `json:"total_ms,omitempty" minimum:"0" maximum:"86400000"`
}

func (t Timeouts) validate(at string) error {
	for _, f := range []struct {
		name   string
		v, max int64
	}{{"connect_ms", t.ConnectMS, 600_000}, {"first_byte_ms", t.FirstByteMS, 3_600_000}, {"idle_ms", t.IdleMS, 3_600_000}, {"total_ms", t.TotalMS, 86_400_000}} {
		if f.v < 0 || f.v > f.max {
			return Errorf(CodeInvalidRequest, "%s must be 0 to %d", f.name, f.max).At(at + "/" + f.name)
		}
	}
	return nil
}

// Upstream is a service behind the gateway: a set of nodes that answer alike.
type Upstream struct {
	Meta
	// Scheme is http or https; empty means http.
	Scheme string `json:"scheme,omitempty" enum:"http,https"`
	// Nodes are the members, at least one.
	Nodes []Node `json:"nodes" minItems:"1" maxItems:"1000"`
	// PassHost chooses the Host sent: pass (the client's), node, or rewrite
	// (UpstreamHost); empty means pass.
	PassHost     string `json:"pass_host,omitempty" enum:"pass,node,rewrite"`
	UpstreamHost string `json:"upstream_host,omitempty" maxLength:"255"`
	// Retries is how many further nodes are tried before the first byte; nil
	// means one less than the nodes, at most 2.
	Retries  *int     `json:"retries,omitempty" minimum:"0" maximum:"10"`
	Timeouts Timeouts `json:"timeouts,omitzero"`
	// TLSSkipVerify accepts any certificate; for tests of the operator's own.
	TLSSkipVerify bool `json:"tls_skip_verify,omitempty"`
}

// Node is one member of an upstream.
type Node struct {
	// Host is a name or an IP address.
	Host string `json:"host" maxLength:"255"`
	Port int    `json:"port" minimum:"1" maximum:"65535"`
	// Weight is its share, 0 to 1000; 0 takes it out, nil means 1.
	Weight *int `json:"weight,omitempty" minimum:"0" maximum:"1000"`
	// Priority is its tier: the lowest number with a usable node is used.
	Priority int `json:"priority,omitempty" minimum:"0" maximum:"100"`
}

// Kind returns [KindUpstream].
func (*Upstream) Kind() Kind { return KindUpstream }

// Normalize implements [Object].
func (u *Upstream) Normalize() {
	u.Scheme = orDefault(u.Scheme, "http")
	u.PassHost = orDefault(u.PassHost, "pass")
	for i := range u.Nodes {
		u.Nodes[i].Weight = orDefault(u.Nodes[i].Weight, new(1))
	}
	u.Retries = orDefault(u.Retries, new(max(0, min(len(u.Nodes)-1, 2))))
}

// Validate implements [Object].
func (u *Upstream) Validate() error {
	if err := u.validate(namePattern); err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return Errorf(CodeInvalidRequest, "scheme %q must be http or https", clip(u.Scheme)).At("/scheme")
	}
	if len(u.Nodes) == 0 || len(u.Nodes) > 1000 {
		return Errorf(CodeInvalidRequest, "an upstream has 1 to 1000 nodes").At("/nodes")
	}
	for i, n := range u.Nodes {
		if err := n.validate(fmt.Sprintf("/nodes/%d", i)); err != nil {
			return err
		}
	}
	if u.PassHost != "pass" && u.PassHost != "node" && (u.PassHost != "rewrite" || u.UpstreamHost == "") {
		return Errorf(CodeInvalidRequest, "pass_host must be pass, node, or rewrite with upstream_host").At("/pass_host")
	}
	if *u.Retries < 0 || *u.Retries > 10 {
		return Errorf(CodeInvalidRequest, "retries must be 0 to 10").At("/retries")
	}
	return u.Timeouts.validate("/timeouts")
}

func (n Node) validate(at string) error {
	if !hostPattern.MatchString(n.Host) {
		return Errorf(CodeInvalidRequest, "host %q is neither a name nor an IP address", clip(n.Host)).At(at + "/host")
	}
	if n.Port < 1 || n.Port > 65535 {
		return Errorf(CodeInvalidRequest, "port must be 1 to 65535").At(at + "/port")
	}
	if *n.Weight < 0 || *n.Weight > 1000 {
		return Errorf(CodeInvalidRequest, "weight must be 0 to 1000").At(at + "/weight")
	}
	if n.Priority < 0 || n.Priority > 100 {
		return Errorf(CodeInvalidRequest, "priority must be 0 to 100").At(at + "/priority")
	}
	return nil
}

// Refs implements [Object].
func (u *Upstream) Refs() []Ref {
	return []Ref{{Field: "/tenant", Kind: KindTenant, Name: u.Tenant}}
}
