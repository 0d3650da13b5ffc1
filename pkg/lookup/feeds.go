package lookup

import (
	"context"

	"ocireffer/pkg/store"
	"ocireffer/pkg/web"
)

// asFeed returns the renderer of an answer for feed readers: the feed that find returns.
func asFeed(find func(context.Context, store.Reader, request) (web.Feed, error)) renderer {
	return renderer{
		contentType: "application/atom+xml; charset=utf-8",
		found: func(ctx context.Context, h *handler, req request) ([]byte, error) {
			feed, err := find(ctx, h.db, req)
			if err != nil {
				return nil, err
			}
			feed.Instance = h.settings.Instance
			return feed.XML(), nil
		},
		failed: func(h *handler, req request, f failure) []byte {
			feed := web.CatalogueFeed(siteOf(req), viewOf(req), nil)
			if req.path != "" {
				feed = web.RepositoryFeed(siteOf(req), req.name, req.filter, nil)
			}
			feed.Instance, feed.Title = h.settings.Instance, f.text
			return feed.XML()
		},
	}
}

// repositoryFeed returns the feed of a name's references.
func repositoryFeed(ctx context.Context, db store.Reader, req request) (web.Feed, error) {
	page, err := readReferences(ctx, db, req.name, req.query.match(), req.listing.Span)
	if err == nil && len(page.Items) == 0 {
		err = &store.NoMatchError{Read: store.MaxScan, More: page.Next != ""}
	}
	return web.RepositoryFeed(siteOf(req), req.name, req.filter, page.Items), err
}

// catalogueFeed returns the feed of the newest references of all repositories, of a
// search, or of a category.
func catalogueFeed(ctx context.Context, db store.Reader, req request) (web.Feed, error) {
	page, err := readListing(ctx, db, req)
	return web.CatalogueFeed(siteOf(req), viewOf(req), page.Items), err
}
