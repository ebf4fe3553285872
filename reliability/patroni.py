def run(check, judge, wanted):
    return []
