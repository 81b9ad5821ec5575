// Command sluice is the gateway, its control plane and its command line in one
// binary. Run `sluice serve --dev` to see it work.
package main

import "github.com/sluicegate/sluice/app"

func main() { app.Main() }
