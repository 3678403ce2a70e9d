"""Stores and catalogs: memory and folder here, S3 and DynamoDB in AWS. One contract suite tests them all."""
