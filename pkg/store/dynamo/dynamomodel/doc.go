// Package dynamomodel is an in-process model of DynamoDB for tests: one table with local
// indexes and a stream. It answers as DynamoDB does, in microseconds. A test can make
// each call fail, pause, be counted or be throttled, and can restore an earlier state of
// the table.
//
// It models PutItem, UpdateItem, DeleteItem, GetItem, BatchGetItem, BatchWriteItem,
// Query, and Scan of the table itself; values of the types S, N, B, BOOL and NULL;
// conditions and filters with comparisons, BETWEEN, AND, OR, NOT, attribute_exists,
// attribute_not_exists, begins_with and contains; updates with SET, including +, - and
// if_not_exists, and with REMOVE; projections of whole attributes; pages, size limits,
// consumed units, and validation errors in the words of DynamoDB Local.
//
// It does not model other operations, types, functions and parameters. A call that uses
// one fails with ErrNotModeled. It ignores the following without an error:
//   - stale reads. Each read sees all writes that have returned.
//   - other calls during a call. The model reads a page, and reads or writes a batch, at
//     one time, which DynamoDB does not promise.
//   - the limit of 10 GB for a partition key with local indexes, and the SDK's retries.
//   - the pace of TTL, and the shards and the 24 hours of a stream.
//   - the limits of 300 operators in an expression and 255 bytes in a placeholder.
//
// # Where DynamoDB Local differs
//
// The tests send the same random calls to the model and to DynamoDB Local 3.1.0, and
// compare all answers. In the following the model does what AWS documents, unlike
// DynamoDB Local:
//   - A query or a scan that finds nothing, and an absent key in a batch, cost the least
//     read unit. DynamoDB Local charges nothing.
//   - A failed condition costs the write units of the larger item. DynamoDB Local does
//     not report them.
//   - A delete of an absent item costs one write unit. DynamoDB Local charges two in a
//     batch, and reports the unit of a single delete unasked.
//   - An update cannot give an index's sort key a wrong type or more than 1,024 bytes.
//     DynamoDB Local accepts both.
//   - A scan cannot have an empty filter. DynamoDB Local ignores it.
//   - A query for a partition key of more than 2,048 bytes is invalid. DynamoDB Local
//     finds nothing.
//   - Numbers come back in one form: 1.0 as 1. DynamoDB Local keeps the text that an
//     update sets. So it does not notice that the keys 1 and 1.0 in a batch are equal.
//   - CONVERT, SIZE and VARIABLES are reserved words.
//
// Where AWS promises no order, the model has its own, on which no caller should rely: for
// entries of an index with the same sort key, and for the items of BatchGetItem. Both
// orders look random, but never change.
//
// Some behavior is known only from DynamoDB Local: an index entry counts 100 bytes more
// than its item in write units; a query by the table's key has no LastEvaluatedKey if it
// ends at a bound that its condition includes; the second operand of if_not_exists must
// always exist.
package dynamomodel
