package web

import (
	"net/netip"
	"net/url"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// howToConnect tells the operator of an empty catalogue how to fill it.
func (s Site) howToConnect() g.Node {
	const example = "/api/references/ghcr.io/acme/app:1.2.3"
	if s.isLocal() {
		return g.Group{
			h.P(g.Text("No registry can reach this machine by its local address. Record a reference by hand to see what happens:")),
			h.Pre(h.Class("copy"), h.Code(g.Text("curl -X PUT "+s.URL+example))),
			h.P(g.Text("Then reload this page. If the server was started with a token, add "), h.Code(g.Text(`-H "Authorization: Bearer $TOKEN"`)), g.Text(".")),
		}
	}
	return g.Group{
		h.P(g.Text("Connect a registry, and each push to it shows up here. Azure Container Registry calls a webhook:")),
		h.Pre(h.Class("copy"), h.Code(g.Text(`az acr webhook create --registry REGISTRY --name ocireffer --actions push delete \
  --uri `+s.URL+`/api/webhook --headers "Authorization=Bearer $TOKEN"`))),
		h.P(g.Text("You can record references of any registry by hand or from CI:")),
		h.Pre(h.Class("copy"), h.Code(g.Text(`curl -X PUT -H "Authorization: Bearer $TOKEN" `+s.URL+example))),
		h.P(g.Text("Use the token whose hash you deployed. A registry does not report pushes from before it was connected.")),
	}
}

// isLocal reports whether only its own machine can reach the site.
func (s Site) isLocal() bool {
	u, err := url.Parse(s.URL)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (ip.IsLoopback() || ip.IsUnspecified())
}
