// Package worker owns what happens after the response: it stores records that
// arrive asynchronously, notes when keys were last used, and removes what has
// outlived its retention. It runs inside control's process or in its own.
//
// [Worker.Run] starts everything and returns when its context ends and what was
// accepted is stored.
package worker
