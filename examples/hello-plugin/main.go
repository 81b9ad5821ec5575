// Command hello-plugin is Sluice with one more plugin: everything that the
// stock binary has, and "hello". Run it as you would run sluice:
//
//	go run . serve --dev
package main

import "github.com/sluicegate/sluice/app"

func main() {
	app.Main(Hello())
}
