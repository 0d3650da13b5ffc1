package webhook

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Google Artifact Registry and Container Registry publish to a Pub/Sub topic, and a push
// subscription forwards the events.
//
// See https://cloud.google.com/artifact-registry/docs/configure-notifications
// and https://cloud.google.com/pubsub/docs/push#receive_push.

func isPubSub(body object) bool {
	return body.object("message").has("data") && body.has("subscription")
}

func parsePubSub(body object, d Delivery) Item {
	message := body.object("message")
	text, err := base64.StdEncoding.DecodeString(message.textOr("data"))
	if err != nil {
		return refuse(errors.New("message.data is not base64"))
	}
	data := objectOf(text)
	if data == nil {
		return refuse(errors.New("message.data is not an object"))
	}
	action := data.textOr("action")
	if action != "INSERT" && action != "DELETE" {
		return ignore("action %s", reference.Quote(action))
	}
	at := event.FirstTime(d.Now, message.textOr("publishTime"))
	if action == "DELETE" {
		return parseImageDelete(data, at, d)
	}
	return parseImagePush(data, at, d)
}

func parseImagePush(data object, at time.Time, d Delivery) Item {
	r := &reader{Delivery: d}
	p := event.Push{Size: event.UnknownSize, PushedAt: at}
	if _, digest, _ := strings.Cut(data.textOr("digest"), "@"); reference.CheckDigest(digest) == nil {
		p.Digest = digest
	}
	t := readImage(r, data, "tag", ":", reference.CheckTag)
	if t.last == "" {
		t.Name = readImage(r, data, "digest", "@", reference.CheckDigest).Name
	}
	p.Reference = reference.Reference{Registry: t.Registry, Repository: t.Repository, Tag: t.last}
	return r.push(p)
}

func parseImageDelete(data object, at time.Time, d Delivery) Item {
	r := &reader{Delivery: d}
	tagged := readImage(r, data, "tag", ":", reference.CheckTag)
	deleted := readImage(r, data, "digest", "@", reference.CheckDigest)
	if deleted.last != "" { // the delete removes all its tags
		return r.delete(event.Target{Registry: deleted.Registry, Repository: deleted.Repository, Digest: deleted.last}, at)
	}
	return r.delete(event.Target{Registry: tagged.Registry, Repository: tagged.Repository, Tag: tagged.last}, at)
}

// An image is a name followed by a tag or a digest; the zero image is none.
type image struct {
	reference.Name
	last string
}

// readImage reads an optional field that contains HOST/PATH, a separator, and a tag or a
// digest.
func readImage(r *reader, data object, path, separator string, check func(string) error) image {
	text := r.optional(data, path, anyText)
	if text == "" {
		return image{}
	}
	host, rest, _ := strings.Cut(text, "/")
	repository, last, _ := strings.Cut(rest, separator)
	r.check(repository, path, reference.CheckRepository)
	r.check(last, path, check)
	return image{reference.Name{Registry: r.registry(host, path), Repository: repository}, last}
}
