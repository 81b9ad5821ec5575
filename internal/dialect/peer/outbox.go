package peer

const (
	// keptOutbox is the most memory that an idle outbox keeps.
	keptOutbox = 64 << 10
	// maxKept is how much is kept back at most of what may be the end.
	maxKept = 64 << 10
)

// Outbox gathers what a client gets next. It keeps back what may turn out to be
// the end of the answer until that is known, so that the end leaves when
// everything of the answer has been read. The zero value is ready; it is used by
// one goroutine.
type Outbox struct {
	// Bytes are what has come and is not recycled; writers append to them.
	Bytes []byte
	// given is how many of them the client has.
	given int
	// keeps tells that Bytes from end on are kept back.
	end   int
	keeps bool
}

// Keep keeps back what is written from here on, unless something already is.
func (o *Outbox) Keep() {
	if !o.keeps {
		o.keeps, o.end = true, len(o.Bytes)
	}
}

// Release lets go of what was kept back.
func (o *Outbox) Release() { o.keeps = false }

// Take returns what is ready, leased until Recycle; nil for nothing. More than
// 64 KiB are not kept back.
func (o *Outbox) Take() []byte {
	if o.keeps && len(o.Bytes)-o.end > maxKept {
		o.keeps = false
	}
	from := o.given
	o.given = len(o.Bytes)
	if o.keeps {
		o.given = o.end
	}
	if from == o.given {
		return nil
	}
	return o.Bytes[from:o.given]
}

// Reset forgets everything; what Take returned may not be in use any more.
func (o *Outbox) Reset() {
	if cap(o.Bytes) > keptOutbox {
		o.Bytes = nil
	}
	*o = Outbox{Bytes: o.Bytes[:0]}
}

// Recycle drops what Take returned.
func (o *Outbox) Recycle() {
	rest := o.Bytes[o.given:]
	if len(rest) == 0 && cap(o.Bytes) > keptOutbox {
		o.Bytes = nil
	}
	o.Bytes = append(o.Bytes[:0], rest...)
	o.end -= o.given
	o.given = 0
}
