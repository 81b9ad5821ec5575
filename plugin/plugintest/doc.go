// Package plugintest helps authors test plugins the way a gateway runs them:
// through a compiled chain and all phases, without a gateway.
//
//	x := plugintest.Request("GET", "/orders?id=7", "X-Env", "test")
//	got := plugintest.Run(t, myplugin.Spec(), `{"word":"hi"}`, x, plugintest.Answer{Chunks: []string{"ok"}})
//	if got.Status != 200 { ... }
//
// [Schema] checks a plugin's definition, [Invalid] that a configuration is
// refused and where.
package plugintest
