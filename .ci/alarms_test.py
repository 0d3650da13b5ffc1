"""Checks of the template's alarms and metrics. template_test.py runs them."""
import copy
import unittest

from expanded_template import TEMPLATE, of_type

OWN_NAMESPACE = {"Fn::Sub": "ocireffer/${AWS::StackName}"}
OPERATORS = {"GreaterThanOrEqualToThreshold": ">=", "GreaterThanThreshold": ">", "LessThanThreshold": "<"}

# What sets off each alarm, as condition() writes it: the statistic of the metric in
# each period, the limit, in how many periods, and what a period without data means.
ALARMS = {
    "StoreFailedAlarm": "Sum own/StoreFailed 300 s >= 1, periods 1, notBreaching",
    "RefusedAlarm": "Sum own/Refused 300 s >= 5, periods 1, notBreaching",
    "WrongTokenAlarm": "Sum own/WrongToken 3600 s >= 1, periods 1, notBreaching",
    "SilenceAlarm": "Sum own/Usable 86400 s < 1, periods SilenceDays, breaching",
    "AllWebhooksFailAlarm": "IF(FILL(usable, 0) == 0, FILL(unusable, 0), 0)"
                            " of usable: Sum own/Usable 3600 s; unusable: Sum own/Unusable 3600 s"
                            " >= 2, periods 1, notBreaching",
    "WebhookThrottledAlarm": "Sum own/WebhookThrottled 300 s >= 1, periods 1, notBreaching",
    "FunctionErrorsAlarm": "SUM(METRICS())"
                           " of ingestErrors: Sum AWS/Lambda/Errors IngestFunction 300 s"
                           "; ingestThrottles: Sum AWS/Lambda/Throttles IngestFunction 300 s"
                           "; lookupErrors: Sum AWS/Lambda/Errors LookupFunction 300 s"
                           "; lookupThrottles: Sum AWS/Lambda/Throttles LookupFunction 300 s"
                           "; viewsErrors: Sum AWS/Lambda/Errors ViewsFunction 300 s"
                           "; viewsThrottles: Sum AWS/Lambda/Throttles ViewsFunction 300 s"
                           " >= 1, periods 1, notBreaching",
    "ViewsLateAlarm": "Maximum AWS/Lambda/IteratorAge ViewsFunction 60 s > 120000, periods 5, notBreaching",
    "ViewsFailedAlarm": "Maximum AWS/SQS/ApproximateNumberOfMessagesVisible ViewsFailedQueue.QueueName 300 s"
                        " >= 1, periods 1, notBreaching",
    "ServerErrorsAlarm": "IF(requests > 0, 100 * errors / requests, 0)"
                         " of errors: Sum AWS/ApiGateway/5xx HttpApi 300 s; requests: Sum AWS/ApiGateway/Count HttpApi 300 s"
                         " > 5, periods 2, notBreaching",
    "SlowAnswersAlarm": "p99 AWS/ApiGateway/Latency HttpApi 300 s > 2500, periods 3, notBreaching",
    "ReconcileSilenceAlarm": "Sum own/Reconciled 86400 s < 1, periods 1, breaching",
    "ReconcileBrakeAlarm": "Sum own/Braked 300 s >= 1, periods 1, notBreaching",
    "TableThrottledAlarm": "SUM(METRICS())"
                           " of reads: Sum AWS/DynamoDB/ReadThrottleEvents Table 300 s"
                           "; writes: Sum AWS/DynamoDB/WriteThrottleEvents Table 300 s"
                           " >= 1, periods 1, notBreaching",
}

# The conditions of alarms that not every stack has.
CONDITIONS = {"SilenceAlarm": "HasSilenceDays", "ReconcileSilenceAlarm": "HasReconcile", "ReconcileBrakeAlarm": "HasReconcile"}

# The one dimension of each namespace.
DIMENSIONS = {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName", "AWS/ApiGateway": "ApiId", "AWS/DynamoDB": "TableName"}


def named(value):
    """What !Ref or !GetAtt names, or else the value."""
    if isinstance(value, dict) and len(value) == 1:
        ((function, argument),) = value.items()
        return {"Ref": lambda: argument, "Fn::GetAtt": lambda: ".".join(argument)}[function]()
    return value


def statistic(metric, name, period):
    """One metric of an alarm as text. It empties metric, so that a test sees what is left."""
    namespace = metric.pop("Namespace")
    text = f"{name} {'own' if namespace == OWN_NAMESPACE else namespace}/{metric.pop('MetricName')} "
    if namespace != OWN_NAMESPACE:
        (dimension,) = metric.pop("Dimensions")
        assert dimension["Name"] == DIMENSIONS[namespace], dimension
        text += f"{named(dimension['Value'])} "
    return f"{text}{period} s"


def condition(properties):
    """What sets off an alarm, as text. It empties properties, so that a test sees what is left."""
    operator = OPERATORS[properties.pop("ComparisonOperator")]
    limit = (f" {operator} {properties.pop('Threshold')}, periods {named(properties.pop('EvaluationPeriods'))}"
             f", {properties.pop('TreatMissingData')}")
    if "Metrics" not in properties:
        name = properties.pop("ExtendedStatistic", None) or properties.pop("Statistic")
        return statistic(properties, name, properties.pop("Period")) + limit
    expression, *metrics = properties.pop("Metrics")
    assert set(expression) == {"Id", "Expression", "Label"}, expression
    inputs = []
    for each in metrics:
        assert each["ReturnData"] is False, each
        stat = each["MetricStat"]
        inputs.append(f"{each['Id']}: {statistic(stat['Metric'], stat['Stat'], stat['Period'])}")
    return f"{expression['Expression']} of {'; '.join(inputs)}{limit}"


class Alarms(unittest.TestCase):
    maxDiff = None

    def test_alarms_go_off_at_their_limits(self):
        got = {}
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
            properties = copy.deepcopy(alarm["Properties"])
            del properties["AlarmDescription"]
            self.assertEqual(properties.pop("AlarmActions", None),
                             {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}, name)
            got[name] = condition(properties)
            self.assertEqual(properties, {}, name)
            self.assertEqual(alarm.get("Condition"), CONDITIONS.get(name), name)
        self.assertEqual(got, ALARMS)

    def test_alarms_reach_the_address(self):
        ((name, topic),) = of_type("AWS::SNS::Topic").items()
        self.assertEqual((name, topic["Condition"]), ("AlarmTopic", "HasAlarmEmail"))
        self.assertEqual(topic["Properties"], {"Subscription": [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]})
        self.assertEqual(TEMPLATE["Conditions"]["HasAlarmEmail"], {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]})

    def test_metric_filters_count_lines(self):
        for name, metric_filter in of_type("AWS::Logs::MetricFilter").items():
            (metric,) = metric_filter["Properties"]["MetricTransformations"]
            self.assertEqual(metric, {"MetricNamespace": OWN_NAMESPACE, "MetricName": name.removesuffix("Metric"),
                                      "MetricValue": "1", "DefaultValue": 0}, name)

    def test_alarms_look_back_a_week_at_most(self):
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
            properties = alarm["Properties"]
            periods, seconds = properties["EvaluationPeriods"], properties.get("Period", 3600)
            if periods == {"Ref": "SilenceDays"}:
                periods = TEMPLATE["Parameters"]["SilenceDays"]["MaxValue"]
            self.assertLessEqual(periods * seconds, 7 * 24 * 3600, name)
