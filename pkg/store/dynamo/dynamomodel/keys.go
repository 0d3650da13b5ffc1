package dynamomodel

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// keyIn returns the key of an item, and checks it.
func (t *Table) keyIn(it *item) (key primaryKey, err error) {
	if key.partition, err = keyValue(it, t.keys.partition, maxPartitionKey); err != nil {
		return key, err
	}
	if t.keys.sort.name != "" {
		key.sort, err = keyValue(it, t.keys.sort, maxSortKey)
	}
	return key, err
}

func keyValue(it *item, c column, maxSize int) (value, error) {
	v, ok := it.get(c.name)
	switch {
	case !ok:
		return v, invalid("One of the required keys was not given a value")
	case !v.ordered():
		return v, invalid("Invalid attribute value type")
	case v.kind != c.kind:
		return v, invalid("One or more parameter values were invalid: Type mismatch for key")
	case v.text == "":
		return v, emptyKey("One or more parameter values are not valid. ", v, " Key: "+c.name)
	case len(v.text) > maxSize:
		return v, invalid("Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes")
	}
	return v, nil
}

func emptyKey(prefix string, v value, suffix string) error {
	kind := "string"
	if v.kind == kindB {
		kind = "binary"
	}
	return invalid("%sThe AttributeValue for a key attribute cannot contain an empty %s value.%s", prefix, kind, suffix)
}

// keyFrom returns the key in a call.
func (t *Table) keyFrom(from map[string]types.AttributeValue) (primaryKey, error) {
	it, err := itemOf(from)
	if err != nil {
		return primaryKey{}, err
	}
	return t.keyOnly(it)
}

// keyOnly returns the key of an item that must have no other attributes.
func (t *Table) keyOnly(it *item) (primaryKey, error) {
	if len(it.attributes) != len(t.keys.columns()) {
		return primaryKey{}, invalid("The number of conditions on the keys is invalid")
	}
	return t.keyIn(it)
}

// checkIndexKeys checks the sort keys of indexes in an item to put.
func (t *Table) checkIndexKeys(it *item) error {
	for _, i := range t.indexes {
		v, ok := it.get(i.sort.name)
		if !ok {
			continue
		}
		if v.ordered() && v.kind == i.sort.kind && v.text == "" {
			return emptyIndexKey(i.name, i.sort.name, v)
		}
		if err := checkIndexKey(i, v); err != nil {
			return err
		}
	}
	return nil
}

func emptyIndexKey(index, name string, v value) error {
	return emptyKey("One or more parameter values are not valid. A value specified for a secondary index key is not supported. ", v,
		" IndexName: "+index+", IndexKey: "+name)
}

// checkIndexKey checks a sort key of i that is not empty.
func checkIndexKey(i index, v value) error {
	switch {
	case !v.ordered():
		return invalid("Invalid attribute value type")
	case v.kind != i.sort.kind:
		return invalid("One or more parameter values were invalid: Type mismatch for Index Key")
	case len(v.text) > maxSortKey:
		return invalid("One or more parameter values were invalid: Size limit exceeded")
	}
	return nil
}

// checkUpdate checks the attributes that an update changes.
func (t *Table) checkUpdate(u *update, b *bindings) error {
	if u == nil {
		return nil
	}
	for _, p := range u.paths {
		if name := b.name(p); t.keys.has(name) {
			return invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
		}
	}
	return nil
}

// checkUpdatedIndexKeys checks the sort keys of indexes in an updated item.
func (t *Table) checkUpdatedIndexKeys(it *item) error {
	for _, i := range t.indexes {
		v, ok := it.get(i.sort.name)
		if !ok {
			continue
		}
		if v.ordered() && v.text == "" {
			return emptyKey("One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. ", v, "")
		}
		if err := checkIndexKey(i, v); err != nil {
			return err
		}
	}
	return nil
}

// checkSize checks the size of an item with its entries in all indexes.
func (t *Table) checkSize(it *item, message string) error {
	size := it.size
	for _, i := range t.indexes {
		if _, ok := it.get(i.sort.name); ok {
			size += it.size
		}
	}
	if size > maxItem {
		return invalid("%s", message)
	}
	return nil
}
