package dynamomodel

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// ErrNotModeled is the error of a call that DynamoDB may accept but the model does not
// know.
var ErrNotModeled = errors.New("dynamomodel: not modeled")

func notModeled(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotModeled, fmt.Sprintf(format, args...))
}

// invalid returns a ValidationException.
func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

// withText adds prefix and suffix to the message of a ValidationException.
func withText(err error, prefix, suffix string) error {
	if api, ok := errors.AsType[*smithy.GenericAPIError](err); ok {
		return invalid("%s%s%s", prefix, api.Message, suffix)
	}
	return err
}

func conditionFailed(stored *item) error {
	return &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed"), Item: stored.sdk()}
}

// throttled is the error of an on-demand table for a partition whose units are used up.
func throttled(write bool) error {
	reason := "TableReadKeyRangeThroughputExceeded"
	if write {
		reason = "TableWriteKeyRangeThroughputExceeded"
	}
	return &types.ThrottlingException{
		Message:           aws.String("Throughput exceeds the current capacity of your table or index"),
		ThrottlingReasons: []types.ThrottlingReason{{Reason: &reason}},
	}
}

// operationError wraps err as the SDK's client does.
func operationError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: op, Err: err}
}
