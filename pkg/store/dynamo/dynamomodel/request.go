package dynamomodel

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// given is a parameter, and whether a call sets it.
type given struct {
	name string
	set  bool
}

// needs checks the parameters that the SDK's client requires.
func needs(input string, all ...given) error {
	missing := smithy.InvalidParamsError{Context: input}
	for _, p := range all {
		if !p.set {
			missing.Add(smithy.NewErrParamRequired(p.name))
		}
	}
	if missing.Len() > 0 {
		return missing
	}
	return nil
}

// refuses checks that a call sets none of the parameters that the model does not support.
func refuses(all ...given) error {
	for _, p := range all {
		if p.set {
			return notModeled("parameter %s", p.name)
		}
	}
	return nil
}

// capacityGiven refuses a request for the units of each index.
func capacityGiven(c types.ReturnConsumedCapacity) given {
	return given{"ReturnConsumedCapacity " + string(c), c == types.ReturnConsumedCapacityIndexes}
}

func metricsGiven(m types.ReturnItemCollectionMetrics) given {
	return given{"ReturnItemCollectionMetrics", m == types.ReturnItemCollectionMetricsSize}
}

// checkTable checks the table of a call.
func (t *Table) checkTable(name string) error {
	if name != t.name {
		return &types.ResourceNotFoundException{Message: aws.String("Cannot do operations on a non-existent table")}
	}
	return nil
}
