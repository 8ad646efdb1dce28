await MartletCommand.launch()
