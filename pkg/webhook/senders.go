package webhook

import "slices"

// senders are all known senders. The first one whose shape matches a body parses it. A
// new sender needs a file and a line here.
var senders = []sender{
	{shape: isDistribution, parse: parseDistribution, insistent: true}, // CNCF Distribution, GitLab's registry
	{shape: isGitea, parse: one(parseGitea)},                           // Gitea, Forgejo
	{shape: isGitHub, parse: one(parseGitHub)},                         // GitHub Packages
	{shape: isDockerHub, parse: one(parseDockerHub)},
	{shape: isHarbor, parse: parseHarbor},
	{shape: isQuay, parse: parseQuay, insistent: true},
	{shape: isECR, parse: one(parseECR)},       // AWS, by EventBridge
	{shape: isPubSub, parse: one(parsePubSub)}, // Google Artifact Registry
	{shape: isArtifactory, parse: one(parseArtifactory)},
	{shape: isNexus, parse: one(parseNexus)},
	{shape: isZot, parse: one(parseZot)},
	{shape: isAnything, parse: one(parseACR)}, // Azure Container Registry
}

// A sender is a registry, or a service that sends events for one.
type sender struct {
	// shape reports whether a body comes from this sender.
	shape func(body object) bool
	// parse parses the events in a body. It must cope with a body of any shape.
	parse func(body object, d Delivery) []Item
	// insistent is Item.Insistent.
	insistent bool
}

// senderOf returns the sender of a body. The last sender matches any body.
func senderOf(body object) sender {
	return senders[slices.IndexFunc(senders, func(s sender) bool { return s.shape(body) })]
}

// isAnything is the shape of the last sender. That sender also refuses bodies that nobody
// is known to send.
func isAnything(object) bool { return true }

// one returns the parser of a sender that puts one event into a body.
func one(parse func(object, Delivery) Item) func(object, Delivery) []Item {
	return func(body object, d Delivery) []Item { return []Item{parse(body, d)} }
}
