package link

import (
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

//go:embed lua/change.lua
var changeLua string

//go:embed lua/replace.lua
var replaceLua string

//go:embed lua/tokens.lua
var tokensLua string

//go:embed lua/stale.lua
var staleLua string

//go:embed lua/written.lua
var writtenLua string

//go:embed lua/lookup.lua
var lookupLua string

//go:embed lua/read.lua
var readLua string

//go:embed lua/admit.lua
var admitLua string

//go:embed lua/finish.lua
var finishLua string

//go:embed lua/renew.lua
var renewLua string

//go:embed lua/answer_begin.lua
var answerBeginLua string

//go:embed lua/answer_end.lua
var answerEndLua string

// The scripts: each is one atomic step. They are sent by their hash, and whole
// to a server that does not know it.
var (
	changeScript  = redis.NewScript(changeLua)
	replaceScript = redis.NewScript(replaceLua)
	tokensScript  = redis.NewScript(tokensLua)
	staleScript   = redis.NewScript(staleLua)
	writtenScript = redis.NewScript(writtenLua)
	lookupScript  = redis.NewScript(lookupLua)
	readScript    = redis.NewScript(readLua)
	admitScript   = redis.NewScript(admitLua)
	finishScript  = redis.NewScript(finishLua)
	renewScript   = redis.NewScript(renewLua)

	answerBeginScript = redis.NewScript(answerBeginLua)
	answerEndScript   = redis.NewScript(answerEndLua)
)
