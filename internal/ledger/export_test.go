package ledger

// OnSlice has fn told how many accounts a check or a pruning has looked at under
// one lock, each time that the lock is given back. Set it before they begin.
func (b *Book) OnSlice(fn func(accounts int)) { b.onSlice = fn }

// Known is how many accounts are in memory.
func (b *Book) Known() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.accounts)
}
