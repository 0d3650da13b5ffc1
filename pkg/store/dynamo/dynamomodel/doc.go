// Package dynamomodel is a model of DynamoDB in process, for tests: one table with
// local indexes and a stream. It answers as DynamoDB does, in microseconds, and lets
// a test fail, pause, count or throttle each call, and take the table back to an
// earlier state.
//
// Modeled are PutItem, UpdateItem, DeleteItem, GetItem, BatchGetItem, BatchWriteItem,
// Query, and Scan of the table itself; values of the types S, N, B, BOOL and NULL; conditions and filters of
// comparisons, BETWEEN, AND, OR, NOT, attribute_exists, attribute_not_exists,
// begins_with and contains; updates of SET, with + and - and if_not_exists, and of
// REMOVE; projections of whole attributes; pages, size limits, validation errors in
// the words of DynamoDB Local, and consumed units.
//
// Not modeled are all other operations, types, functions and parameters. A call that
// uses one fails with ErrNotModeled. Not modeled either, and without an error:
//   - stale reads. Each read sees all writes that have returned.
//   - other calls during a call. The model reads a page, and reads or writes a batch, at
//     one time, which DynamoDB does not promise.
//   - the 10 GB of a partition key with local indexes, and the SDK's retries.
//   - the pace of TTL, and the shards and the 24 hours of a stream.
//   - the limits of 300 operators in an expression and 255 bytes in a placeholder.
//
// # Where DynamoDB Local differs
//
// The tests send the same random calls to the model and to DynamoDB Local 3.1.0, and
// compare all answers. The model follows AWS, as documented, and not DynamoDB Local
// here:
//   - A query or a scan that finds nothing, and an absent key of a batch, cost the least
//     read unit. DynamoDB Local charges nothing.
//   - A failed condition costs the write units of the larger item. DynamoDB Local does
//     not tell.
//   - A delete of an absent item costs one write unit. In a batch DynamoDB Local charges
//     two, and alone it tells the unit unasked.
//   - An update cannot give an index's sort key a wrong type or more than 1,024 bytes.
//     DynamoDB Local takes both.
//   - A scan cannot have an empty filter. For DynamoDB Local that is none.
//   - A query for a partition key of more than 2,048 bytes is invalid. DynamoDB Local
//     finds nothing.
//   - Numbers come back in one form: 1.0 as 1. DynamoDB Local keeps the text that an
//     update sets. So it does not see that the keys 1 and 1.0 of a batch are the same.
//   - CONVERT, SIZE and VARIABLES are reserved words.
//
// Where AWS promises nothing, the model has an order of its own, on which no caller
// should rely: for entries of an index with the same sort key, and for the items of
// BatchGetItem. Both are scattered, but the same each time.
//
// Known from DynamoDB Local alone are these: an index entry counts 100 bytes more than
// its item in write units; a query by the table's key that ends at a bound that its
// condition includes has no LastEvaluatedKey; the second operand of if_not_exists must
// exist in any case.
package dynamomodel
