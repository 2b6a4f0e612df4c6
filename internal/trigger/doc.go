// Package trigger starts flows and imports by themselves: at times of a
// schedule, when an API endpoint or an event hook is called, and when people
// join, move or leave in the directory.
//
// Everything that happens becomes a Firing: a durable row with an id made of the
// trigger and of what happened (the due time, the id of the event, the number in
// the change log, the idempotency key). That id is also the id of the run. A
// firing is on disk before it counts as accepted, and a run is started under its
// id, which the worker does once at most; so no crash, restart or repeated
// delivery runs anything twice, and what was accepted is started after all.
//
//	cron.go      when a schedule is due, by the clock on the wall
//	schedule.go  which due times run, are missed, or are left for later
//	settings.go  the section triggers: of lanyard.yaml
//	inputs.go    from an event to the inputs of a flow
//	endpoint.go  who may call an endpoint (HMAC), and what for
//	event.go     deliveries of Okta event hooks and Auth0 events
//	changes.go   joiner, mover and leaver in the change log
//	engine.go    what is armed, and the look at all of it now and then
//	switches.go  what is switched off
//	feed.go      from the change log to firings
//	firing.go    the id of a firing, and its inputs
//	call.go      calls and deliveries, which are accepted while somebody waits
//	queue.go     starts what waits, and stores what became of it
//	desk.go      what administrators ask for
//	fire.go      what they fire and test
//
// Where firings are kept is the Store's business, how a flow or an import is
// started the Starter's, what HTTP looks like that of package web/hooks.
package trigger
