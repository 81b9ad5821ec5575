package journal

import "encoding/hex"

// span is the part of a journal that one identity has: what one process wrote.
// Positions of one identity mean nothing in another, so that neither a folder put
// back from a snapshot nor two copies of one can take the entries of one process
// for those of another.
type span struct {
	id    string
	begin Seq // what comes before its first entry
	end   Seq // its last durable entry
	open  bool
}

// spanBehind returns the span with the first durable entry behind a place; ok is
// false when there is none yet.
func (j *Journal) spanBehind(place Seq) (s span, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := 0
	for at < len(j.segments) && j.segments[at].end <= place {
		at++
	}
	if at == len(j.segments) {
		return span{}, false
	}
	id := j.segments[at].id
	for at > 0 && j.segments[at-1].id == id {
		at--
	}
	s = span{id: hex.EncodeToString(id[:]), begin: j.segments[at].begin(), open: id == j.id}
	for ; at < len(j.segments) && j.segments[at].id == id; at++ {
		s.end = max(s.end, j.segments[at].end)
	}
	return s, true
}

// Ends says for each process that wrote to the journal, by its id, which entry is
// the last that can be read; of those whose segments were truncated it says
// nothing.
func (j *Journal) Ends() map[string]Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	ends := map[string]Seq{}
	for _, s := range j.segments {
		id := hex.EncodeToString(s.id[:])
		ends[id] = max(ends[id], s.end)
	}
	return ends
}

// Tails says for each process with entries here, by its id, which is the last of
// them, whether it is written yet or not: once the books have applied all of
// them, they have everything that the journal can tell.
func (j *Journal) Tails() map[string]Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	tails := map[string]Seq{}
	for i := range j.segments {
		if s := &j.segments[i]; s.end > s.begin() {
			id := hex.EncodeToString(s.id[:])
			tails[id] = max(tails[id], s.end)
		}
	}
	if j.last >= firstOf(j.last.Epoch()) { // of this process there may be nothing yet
		tails[hex.EncodeToString(j.id[:])] = j.last
	}
	return tails
}

// Begin is the last number before everything that the process has written whose
// entries are the oldest here; former processes' entries were truncated. 0 when
// nothing was.
func (j *Journal) Begin() Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return 0
	}
	return j.segments[0].begin()
}

// begin is what comes before everything that a segment's identity has written, if
// nothing older of it is there: a number that is not the first of its epoch shows
// that something was.
func (s *segment) begin() Seq {
	if s.first == 0 || s.first == firstOf(s.first.Epoch()) {
		return s.previous
	}
	return firstOf(s.first.Epoch()) - 1
}

// identify gives segments without a readable header the identity of their
// neighbours.
func identify(all []found, draw func() [8]byte) {
	for i := range all {
		if !all[i].whole && i > 0 {
			all[i].id = all[i-1].id
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].id != [8]byte{} {
			continue
		}
		if i+1 < len(all) {
			all[i].id = all[i+1].id
		} else {
			all[i].id = draw()
		}
	}
}
