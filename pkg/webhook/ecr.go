package webhook

import (
	"strings"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// Amazon ECR sends its events to EventBridge, and an EventBridge rule forwards them.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html.

func isECR(body object) bool { return body.has("detail-type") && body.textOr("source") == "aws.ecr" }

func parseECR(body object, d Delivery) Item {
	if kind := body.textOr("detail-type"); kind != "ECR Image Action" {
		return ignore("event type %s", reference.Quote(kind))
	}
	detail := body.object("detail")
	action := detail.textOr("action-type")
	if action != "PUSH" && action != "DELETE" {
		return ignore("action %s", reference.Quote(action))
	}
	if result := detail.textOr("result"); result != "SUCCESS" {
		return ignore("result %s", reference.Quote(result))
	}
	r := &reader{Delivery: d}
	registry := r.registry(ecrHost(body.textOr("account"), body.textOr("region")), "account or region")
	repository := r.required(detail, "detail.repository-name", reference.CheckRepository)
	tag := r.optional(detail, "detail.image-tag", reference.CheckTag)
	at := event.FirstTime(d.Now, body.textOr("time"))
	if action == "DELETE" {
		t := event.Target{Registry: registry, Repository: repository, Tag: tag, Digest: r.optional(detail, "detail.image-digest", reference.CheckDigest)}
		if tag != "" {
			t.Digest = "" // a delete by tag removes only this tag from the image
		}
		return r.delete(t, at)
	}
	return r.push(event.Push{
		Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
		Digest:    detail.digest("image-digest"),
		MediaType: detail.mediaType("manifest-media-type"),
		Size:      event.UnknownSize,
		PushedAt:  at,
	})
}

// ecrHost returns the host of an account's registry, or "" if a part is missing.
func ecrHost(account, region string) string {
	if account == "" || region == "" {
		return ""
	}
	host := account + ".dkr.ecr." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		host += ".cn"
	}
	return host
}
