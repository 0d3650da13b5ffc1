package lookup

import (
	"context"

	"ocireffer/pkg/store"
	"ocireffer/pkg/web"
)

// asFeed returns the renderer of an answer for feed readers: the feed that find returns.
func asFeed(find func(context.Context, *handler, request) (web.Feed, error)) renderer {
	return renderer{
		contentType: "application/atom+xml; charset=utf-8",
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			feed, err := find(ctx, h, req)
			if err != nil {
				return nil, err
			}
			return feed.XML(), nil
		},
		failed: func(h *handler, req request, f failure) []byte {
			feed := web.CatalogueFeed(h.site(req), viewOf(req), nil)
			if req.path != "" {
				feed = web.RepositoryFeed(h.site(req), req.name, req.filter, nil)
			}
			feed.Title = f.text
			return feed.XML()
		},
	}
}

// repositoryFeed returns the feed of a name's references.
func repositoryFeed(ctx context.Context, h *handler, req request) (web.Feed, error) {
	page, err := readReferences(ctx, h.db, req.name, req.query.match(), req.listing.Span)
	if err == nil && len(page.Items) == 0 {
		err = &store.NoMatchError{Read: store.MaxScan, More: page.Next != ""}
	}
	return web.RepositoryFeed(h.site(req), req.name, req.filter, page.Items), err
}

// catalogueFeed returns the feed of the newest references of all repositories, of a
// search, or of a category.
func catalogueFeed(ctx context.Context, h *handler, req request) (web.Feed, error) {
	page, err := readListing(ctx, h.db, req)
	return web.CatalogueFeed(h.site(req), viewOf(req), page.Items), err
}
