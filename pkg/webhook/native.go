package webhook

import (
	"errors"
	"fmt"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// A native is an event in the form of CNCF Distribution, which Azure Container Registry
// and GitLab also use: action, target, request and timestamp.
//
// See https://distribution.github.io/distribution/about/notifications/#json-format
type native struct {
	payload object
	action  string
	at      time.Time
	// elsewhere is the host to use if request.host is missing, and resource the field
	// that it comes from. Both are empty if there is none.
	elsewhere, resource string
}

// parse parses an event whose action is known.
func (n native) parse(d Delivery) Item {
	switch n.action {
	case "push":
		return n.parsePush(d)
	case "delete":
		return n.parseDelete(d)
	case "ping":
		return answer(Pong, "pong")
	case "":
		return refuse(errors.New("action and target are missing"))
	default:
		return ignore("action %s", reference.Quote(n.action))
	}
}

// nativeAction returns the action in a payload, or else the reason to ignore it. A
// payload with a target and no action is a push.
func nativeAction(payload object) (action, reason string) {
	action, ok := payload.text("action")
	if !ok && payload.has("target") {
		return "push", ""
	}
	if ok && action == "" {
		return "", `action ""`
	}
	return action, ""
}

// parsePush parses a push. It drops a bad digest, media type or size and keeps the push;
// it refuses a bad tag.
func (n native) parsePush(d Delivery) Item {
	target, name, err := n.parseTarget(d)
	if err != nil {
		return refuse(err)
	}
	tag, err := field(target, "target.tag", checked(reference.CheckTag))
	if err != nil && !errors.Is(err, errEmpty) {
		return refuse(err)
	}
	p := event.Push{
		Reference: reference.Reference{Registry: name.Registry, Repository: name.Repository, Tag: tag},
		Digest:    target.digest("digest"),
		MediaType: target.mediaType("mediaType"),
		Size:      target.size("size"),
		PushedAt:  n.at,
	}
	if tag == "" && p.Digest == "" {
		return refuse(errors.New("target.tag and target.digest are missing"))
	}
	if tag == "" {
		return ignore("push of %s@%s has no tag", name.Repository, p.Digest)
	}
	return Item{Event: event.Event{Push: &p}}
}

// parseDelete parses a delete. It refuses a bad tag or digest: without it, the delete
// would remove more than was meant. An empty one counts as absent, but only beside the
// other.
func (n native) parseDelete(d Delivery) Item {
	target, name, err := n.parseTarget(d)
	if err != nil {
		return refuse(err)
	}
	tag, errTag := field(target, "target.tag", checked(reference.CheckTag))
	digest, errDigest := field(target, "target.digest", checked(reference.CheckDigest))
	if digest != "" && errors.Is(errTag, errEmpty) {
		errTag = nil
	}
	if tag != "" && errors.Is(errDigest, errEmpty) {
		errDigest = nil
	}
	if errTag != nil {
		return refuse(errTag)
	}
	if errDigest != nil {
		return refuse(errDigest)
	}
	if digest != "" {
		tag = "" // the manifest was deleted with all its tags
	}
	return deleted(event.Target{Registry: name.Registry, Repository: name.Repository, Tag: tag, Digest: digest}, n.at, d.Now)
}

// parseTarget parses the target, and the name of its repository with its registry. Pushes
// and deletes both need them.
func (n native) parseTarget(d Delivery) (target object, name reference.Name, err error) {
	target = n.payload.object("target")
	if target == nil {
		return nil, reference.Name{}, errors.New("target is missing")
	}
	if name.Repository, err = field(target, "target.repository", checked(reference.CheckRepository)); err != nil {
		return nil, reference.Name{}, err
	}
	if name.Repository == "" {
		return nil, reference.Name{}, errors.New("target.repository is missing")
	}
	name.Registry, err = n.parseRegistry(d)
	return target, name, err
}

func (n native) parseRegistry(d Delivery) (string, error) {
	if d.Registry != "" {
		return d.Registry, nil
	}
	registry, err := field(n.payload.object("request"), "request.host", reference.ParseRegistry)
	if registry != "" || err != nil {
		return registry, err
	}
	if n.elsewhere == "" {
		return "", errors.New("request.host is missing")
	}
	if registry, err = reference.ParseRegistry(n.elsewhere); err != nil {
		return "", fmt.Errorf("%s: %w", n.resource, err)
	}
	return registry, nil
}
